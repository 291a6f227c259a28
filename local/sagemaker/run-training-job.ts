/**
 * One attempt of a training job on this machine, as an instance of SageMaker would make it: download, run the
 * script as a process group of its own, follow its log, keep its checkpoints in S3, upload what it leaves.
 */
import { execFile } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import type { CreateTrainingJobRequest } from '@aws-sdk/client-sagemaker'
import { type ProcessGroup, spawnGroup } from '../processes.ts'
import {
  jobEnvironment,
  jobFolders,
  makeJobFolders,
  scriptArguments,
  scriptModeOf,
  writeInputConfig,
} from './job-environment.ts'
import { createLogTail } from './job-metrics.ts'
import {
  createFolderSync,
  downloadObject,
  downloadPrefix,
  NothingThere,
  type Objects,
  parseS3Uri,
  uploadFile,
  uploadFolder,
} from './s3-folder.ts'

const run = promisify(execFile)

/** How often the log is read: a chart moves several times a second, and the machine does not notice. */
const LOG_POLL_MS = 200
/** AWS keeps this many characters of what a job says about its failure. */
const MAX_FAILURE_CHARACTERS = 1024

export type AttemptSettings = {
  objects: Objects
  region: string
  /** Python that stands for every training image. */
  python: string
  logFile: string
  runDir: string
  checkpointSyncMs: number
  /** Scheduling priority of the script: the services that people wait for come first. */
  niceness: number
}

export type Attempt = {
  request: CreateTrainingJobRequest
  arn: string
  /** From 1. */
  number: number
  /** A fresh folder of this attempt. */
  folder: string
}

export type StopReason = 'stopped' | 'max-runtime' | 'max-wait' | 'interrupted' | 'shutdown'

export type AttemptEnd =
  | { kind: 'completed'; modelArtifacts: string }
  | { kind: 'failed'; reason: string }
  /** `modelArtifacts` where something was uploaded: not after an interruption, whose instance is gone. */
  | { kind: 'stopped'; why: StopReason; modelArtifacts?: string }

export type AttemptEvents = {
  entered(status: 'Downloading' | 'Training' | 'Uploading'): void
  line(line: string): void
}

export type RunningAttempt = {
  /** Never rejects: what goes wrong is a failed job. */
  end: Promise<AttemptEnd>
  /** Asks it to stop: SIGTERM, then SIGKILL after `graceMs`, at once for 0. False when it is past stopping. */
  stop(why: StopReason, graceMs: number): boolean
}

/** Starts an attempt; `events` tell how far it is. */
export function startAttempt(
  settings: AttemptSettings,
  attempt: Attempt,
  events: AttemptEvents,
): RunningAttempt {
  const downloads = new AbortController()
  const uploads = new AbortController()
  let stopped: StopReason | undefined
  let child: ProcessGroup | undefined
  let uploading = false

  async function makeAttempt(): Promise<AttemptEnd> {
    const { request } = attempt
    const folders = jobFolders(attempt.folder)
    makeJobFolders(folders)
    const checkpoints =
      request.CheckpointConfig &&
      createFolderSync(settings.objects, folders.checkpoints, request.CheckpointConfig.S3Uri!)

    events.entered('Downloading')
    await downloadInputs(settings, attempt, downloads.signal)
    await checkpoints?.markSynced()
    if (stopped) return { kind: 'stopped', why: stopped }

    writeInputConfig(request, folders)
    const script = scriptModeOf(request.HyperParameters ?? {})!
    const logStart = existsSync(settings.logFile) ? statSync(settings.logFile).size : 0
    const environment = jobEnvironment({
      request,
      arn: attempt.arn,
      region: settings.region,
      folders,
      script,
      pythonBin: join(settings.python, '..'),
    })
    // No shell passes on a name with a dash, and the group's leader is a shell first: `env` sets those.
    const dashed = Object.keys(environment).filter(variable => variable.includes('-'))
    child = spawnGroup({
      name: `training-${request.TrainingJobName}`,
      command: 'nice',
      args: [
        '-n',
        String(settings.niceness),
        'env',
        ...dashed.map(variable => `${variable}=${environment[variable]}`),
        settings.python,
        script.program,
        ...scriptArguments(request.HyperParameters ?? {}),
      ],
      env: environment,
      inheritEnv: false,
      cwd: folders.code,
      logFile: settings.logFile,
      runDir: settings.runDir,
      // A container's first process hears of a stop, not the data loaders that it needs to save.
      terminate: 'leader',
    })
    events.entered('Training')

    const tail = createLogTail(settings.logFile, logStart)
    const over = new AbortController()
    const follow = repeat(LOG_POLL_MS, over.signal, async () => tail.read().forEach(events.line))
    const keep = repeat(settings.checkpointSyncMs, over.signal, async () => {
      await checkpoints?.sync()
    })
    const exit = await child.exited
    over.abort()
    await Promise.all([follow, keep])
    tail.read().forEach(events.line)
    // The instance is still there during a notice; what the script saved in it counts.
    await checkpoints?.sync().catch(error => {
      if (!stopped) throw error
    })

    if (stopped === 'interrupted' || stopped === 'shutdown') return { kind: 'stopped', why: stopped }
    if (!stopped && (exit.code !== 0 || exit.signal)) {
      const code = exit.code ?? 128 + (SIGNAL_NUMBERS[exit.signal ?? ''] ?? 0)
      return {
        kind: 'failed',
        reason: failureReason(join(folders.output, 'failure'), script.program, code, tail.recent()),
      }
    }
    uploading = true
    events.entered('Uploading')
    const modelArtifacts = await uploadOutputs(settings.objects, request, folders, uploads.signal)
    return stopped ? { kind: 'stopped', why: stopped, modelArtifacts } : { kind: 'completed', modelArtifacts }
  }

  const end = makeAttempt().catch((error: unknown): AttemptEnd => {
    if (stopped) return { kind: 'stopped', why: stopped }
    if (error instanceof NothingThere)
      return failed(`ClientError: Data download failed: ${error.message} given in input data source`)
    return failed(`InternalServerError: ${error instanceof Error ? error.message : String(error)}`)
  })
  return {
    end,
    stop(why, graceMs) {
      if (stopped && why !== 'shutdown') return false
      if (uploading && why !== 'shutdown') return false
      stopped = why
      downloads.abort()
      // A job that was stopped keeps what it has; only the end of this server leaves it for the next start.
      if (why === 'shutdown') uploads.abort()
      if (graceMs === 0) child?.signal('SIGKILL') // no notice: the script hears nothing
      void child?.stop(graceMs)
      return true
    },
  }
}

async function downloadInputs(settings: AttemptSettings, attempt: Attempt, signal: AbortSignal) {
  const { request } = attempt
  const folders = jobFolders(attempt.folder)
  const { objects } = settings
  const code = parseS3Uri(scriptModeOf(request.HyperParameters ?? {})!.submitDirectory)!
  const archive = join(folders.temporary, 'sourcedir.tar.gz')
  await downloadObject(objects, code, archive, signal)
  // As script mode does: a gzipped tar and nothing else (a zip is refused here as it is there).
  await run('tar', ['-xzf', archive, '-C', folders.code, '--no-same-owner'])
  for (const channel of request.InputDataConfig ?? []) {
    const folder = join(folders.inputData, channel.ChannelName!)
    mkdirSync(folder, { recursive: true })
    await downloadPrefix(objects, channel.DataSource!.S3DataSource!.S3Uri!, folder, signal)
  }
  if (request.CheckpointConfig) {
    const uri = request.CheckpointConfig.S3Uri!
    await downloadPrefix(objects, uri.endsWith('/') ? uri : `${uri}/`, folders.checkpoints, signal).catch(
      error => {
        if (!(error instanceof NothingThere)) throw error // the first attempt has none
      },
    )
  }
}

/** Uploads the model and the extra output; returns what AWS calls ModelArtifacts.S3ModelArtifacts. */
async function uploadOutputs(
  objects: Objects,
  request: CreateTrainingJobRequest,
  folders: ReturnType<typeof jobFolders>,
  signal: AbortSignal,
): Promise<string> {
  const { S3OutputPath, CompressionType } = request.OutputDataConfig!
  const output = `${S3OutputPath!.replace(/\/+$/, '')}/${request.TrainingJobName}/output`
  if (CompressionType === 'NONE') {
    await uploadFolder(objects, folders.model, `${output}/model`, signal)
    await uploadFolder(objects, folders.outputData, `${output}/data`, signal)
    return `${output}/model`
  }
  for (const [folder, name] of [
    [folders.model, 'model.tar.gz'],
    [folders.outputData, 'output.tar.gz'],
  ] as const) {
    const archive = join(folders.temporary, name)
    await run('tar', ['-czf', archive, '-C', folder, '.'])
    await uploadFile(objects, archive, parseS3Uri(`${output}/${name}`)!, signal)
  }
  return `${output}/model.tar.gz`
}

/**
 * AWS's text for a script that failed: what the script wrote into the failure file, else the end of what it
 * printed, in the words of the sagemaker-training toolkit.
 */
function failureReason(failureFile: string, program: string, code: number, recent: string[]): string {
  const written = existsSync(failureFile) ? readFileSync(failureFile, 'utf8').trim() : ''
  if (written !== '') return failed(`AlgorithmError: ${written}, exit code: ${code}`).reason
  const head = `AlgorithmError: ExecuteUserScriptError:\nExitCode ${code}\nErrorMessage "`
  const tail = `"\nCommand "python ${program}", exit code: ${code}`
  const room = MAX_FAILURE_CHARACTERS - head.length - tail.length
  return `${head}${recent.join('\n').slice(-room)}${tail}`
}

function failed(reason: string): { kind: 'failed'; reason: string } {
  return { kind: 'failed', reason: reason.slice(0, MAX_FAILURE_CHARACTERS) }
}

/** Calls `work` until aborted; an error of one round (a busy S3) is left to the next. */
async function repeat(everyMs: number, signal: AbortSignal, work: () => Promise<void>): Promise<void> {
  while (!signal.aborted) {
    await work().catch(() => {})
    await sleep(everyMs, undefined, { signal }).catch(() => {})
  }
}

/** Shells report a signal as 128 + its number, and so does AWS. */
const SIGNAL_NUMBERS: Record<string, number> = { SIGINT: 2, SIGABRT: 6, SIGKILL: 9, SIGSEGV: 11, SIGTERM: 15 }
