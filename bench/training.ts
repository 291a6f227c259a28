import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { GetObjectCommand, PutObjectCommand, S3Client } from '@aws-sdk/client-s3'
import {
  CreateTrainingJobCommand,
  type CreateTrainingJobCommandInput,
  DescribeTrainingJobCommand,
  SageMakerClient,
  type SecondaryStatusTransition,
} from '@aws-sdk/client-sagemaker'
import { extract } from 'tar'
import { documentDigest, resourceName, sha256Hex } from '../domain/protocol/ids.ts'
import { type JobProfile, planJob } from '../domain/training/training-job.ts'
import { answerWithLevel, iamActions, requestFor } from '../examples/iam-assistant/iam-actions.ts'
import { spawnGroup } from '../local/processes.ts'
import { scriptArguments } from '../local/sagemaker/job-environment.ts'
import { type Row, secondsOf, spreadOf } from './measure.ts'
import { BASE_MODEL, PYTHON, REPOSITORY, type Stage, until } from './stage.ts'

/**
 * The same fine-tune of the real base model as a training job, planned as the state machine plans it, and as a bare
 * Python process on folders that are there already: steps per second of the training itself, and seconds in all.
 */

const STEPS = 16
const BATCH_SIZE = 8
const REPEATS = 2
const JOB_SECONDS = 600
/** The local SageMaker's own for jobs: other work on the machine then slows both down alike. */
const JOB_NICENESS = 5

type Run = { readonly seconds: number; readonly steps: number; readonly trainSeconds: number; loss: number }
type Metrics = { steps: number; trainSeconds: number; finalLoss: number }

export async function benchTraining(stage: Stage, note: (line: string) => void): Promise<Row[]> {
  const s3 = new S3Client({ forcePathStyle: true })
  const sagemaker = new SageMakerClient({})
  const { bucket } = stage
  const { baseModel, code } = await stage.bring(BASE_MODEL)
  const records = await trainingRecords(STEPS * BATCH_SIZE)
  const trainFolder = join(stage.folder, 'train')
  mkdirSync(trainFolder)
  writeFileSync(join(trainFolder, 'train.jsonl'), records)
  await s3.send(new PutObjectCommand({ Bucket: bucket, Key: 'bench/train.jsonl', Body: records }))

  // Both run the very same files, also while somebody edits those of the checkout.
  const programs = await unpackedCode(s3, bucket, code, join(stage.folder, 'code'))

  const profile = readJson('config/model-profiles/cpu-135m.json') as JobProfile
  const { finetune } = readJson('training/recipes/cpu-135m.json') as { finetune: Record<string, string> }
  const settings = { ...finetune, 'batch-size': String(BATCH_SIZE), 'checkpoint-steps': String(STEPS / 2) }
  const recipe = { schema: 1 as const, profile: 'cpu-135m', code, wheels: null, jobs: { finetune: settings } }
  const plan = (repeat: number) => {
    const runId = documentDigest({ bench: 'training', repeat })
    return planJob({
      stage: 'local',
      name: resourceName('local', 'train', runId, 1),
      program: 'finetune',
      settings: 'finetune',
      recipe,
      profile,
      artifactsBucket: bucket,
      runId,
      checkpointKey: sha256Hex(runId), // of its own, or the second would resume where the first ended
      channels: {
        train: `s3://${bucket}/bench/`,
        model: `s3://${bucket}/base-models/${baseModel}/`,
      },
    })
  }

  const phases: string[] = []
  const asJob = async (repeat: number): Promise<Run> => {
    const { name, outputPath, request } = plan(repeat)
    const RoleArn = 'arn:aws:iam::000000000000:role/training'
    const input = { TrainingJobName: name, RoleArn, ...request } as unknown as CreateTrainingJobCommandInput
    const seconds = await secondsOf(async () => {
      await sagemaker.send(new CreateTrainingJobCommand(input))
      const job = await until(`Training job ${name}`, JOB_SECONDS, async () => {
        const seen = await sagemaker.send(new DescribeTrainingJobCommand({ TrainingJobName: name }))
        return seen.TrainingJobStatus === 'InProgress' ? undefined : seen
      })
      if (job.TrainingJobStatus !== 'Completed') throw new Error(`${name}: ${job.FailureReason}`)
      phases.push(inPhases(job.SecondaryStatusTransitions ?? []))
    })
    const Key = `${outputPath.slice(`s3://${bucket}/`.length)}/${name}/output/model/metrics.json`
    const { Body } = await s3.send(new GetObjectCommand({ Bucket: bucket, Key }))
    return runOf(seconds, JSON.parse((await Body?.transformToString()) ?? '') as Metrics)
  }
  const asProcess = async (repeat: number): Promise<Run> => {
    const folder = join(stage.folder, `bare-${repeat}`)
    const process = () =>
      spawnGroup({
        name: `bare-${repeat}`,
        command: 'nice',
        args: [
          '-n',
          String(JOB_NICENESS),
          PYTHON,
          'finetune.py',
          ...scriptArguments(plan(repeat).request.HyperParameters),
        ],
        cwd: programs,
        env: {
          SM_CHANNEL_MODEL: BASE_MODEL,
          SM_CHANNEL_TRAIN: trainFolder,
          SM_MODEL_DIR: join(folder, 'model'),
          SM_OUTPUT_DIR: join(folder, 'output'),
          OPENLEDGER_CHECKPOINT_DIR: join(folder, 'checkpoints'),
          PYTHONDONTWRITEBYTECODE: '1',
        },
        logFile: join(stage.folder, `bare-${repeat}.log`),
        runDir: join(stage.folder, 'run'),
      })
    const seconds = await secondsOf(async () => {
      const { code } = await process().exited
      if (code !== 0)
        throw new Error(readFileSync(join(stage.folder, `bare-${repeat}.log`), 'utf8').slice(-2_000))
    })
    const metrics = readFileSync(join(folder, 'model/metrics.json'), 'utf8')
    return runOf(seconds, JSON.parse(metrics) as Metrics)
  }

  const jobs: Run[] = []
  const bare: Run[] = []
  for (let repeat = 1; repeat <= REPEATS; repeat++) {
    bare.push(await asProcess(repeat))
    jobs.push(await asJob(repeat))
  }
  const losses = new Set([...jobs, ...bare].map(({ loss }) => loss))
  if (losses.size !== 1) throw new Error(`Not the same training: final losses ${[...losses].join(', ')}`)
  note(`${STEPS} steps of ${BATCH_SIZE} records, final loss ${[...losses][0]} in every run`)
  note(`where a job's seconds go: ${phases.at(-1)}`)
  const rates = (runs: Run[]) => spreadOf(runs.map(({ steps, trainSeconds }) => steps / trainSeconds))
  const totals = (runs: Run[]) => spreadOf(runs.map(({ seconds }) => seconds))
  return [
    {
      what: 'training steps, as a job of the pipeline',
      unit: 'per second',
      figure: rates(jobs),
      comparison: { what: 'bare `finetune.py`', figure: rates(bare) },
    },
    {
      what: 'the whole training job, inputs and outputs copied',
      unit: 's',
      figure: totals(jobs),
      comparison: { what: 'the whole bare process', figure: totals(bare) },
    },
  ]
}

async function unpackedCode(s3: S3Client, bucket: string, code: string, folder: string): Promise<string> {
  const { Body } = await s3.send(new GetObjectCommand({ Bucket: bucket, Key: `code/${code}.tar.gz` }))
  mkdirSync(folder)
  const archive = join(folder, 'code.tar.gz')
  writeFileSync(archive, (await Body?.transformToByteArray()) ?? '')
  await extract({ file: archive, cwd: folder })
  return folder
}

function runOf(seconds: number, { steps, trainSeconds, finalLoss }: Metrics): Run {
  if (steps !== STEPS) throw new Error(`It took ${steps} steps, not ${STEPS}`)
  return { seconds, steps, trainSeconds, loss: finalLoss }
}

/** "Downloading 2.1 s, Training 30.5 s, ..." */
function inPhases(transitions: readonly SecondaryStatusTransition[]): string {
  return transitions
    .filter(({ EndTime, StartTime }) => EndTime !== undefined && StartTime !== undefined)
    .map(
      ({ Status, StartTime, EndTime }) =>
        [Status, (EndTime!.getTime() - StartTime!.getTime()) / 1_000] as const,
    )
    .filter(([, seconds]) => seconds >= 0.05)
    .map(([status, seconds]) => `${status} ${seconds.toFixed(1)} s`)
    .join(', ')
}

/** Real records, as a frozen dataset's train part holds them. */
async function trainingRecords(count: number): Promise<string> {
  const actions = (await iamActions()).slice(0, count)
  if (actions.length < count) throw new Error(`There are ${actions.length} actions`)
  return actions
    .map((action, at) => ({
      id: `r${at}`,
      messages: [
        { role: 'user', content: requestFor(action) },
        { role: 'assistant', content: answerWithLevel(action) },
      ],
      group: action.service,
      contributor: `c${at % 4}`,
    }))
    .map(record => `${JSON.stringify(record)}\n`)
    .join('')
}

const readJson = (path: string): unknown => JSON.parse(readFileSync(join(REPOSITORY, path), 'utf8'))
