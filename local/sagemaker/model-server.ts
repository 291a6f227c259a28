/**
 * A served model: merged weights from S3 and one `transformers serve` process a copy, healthy before it is
 * shown as in service, started again when it crashes, gone when it is stopped.
 */
import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import { freePort } from '../ports.ts'
import { spawnGroup } from '../processes.ts'
import { privateHome } from './job-environment.ts'
import { downloadObject, downloadPrefix, type Objects, parseS3Uri } from './s3-folder.ts'

const run = promisify(execFile)

const HEALTH_POLL_MS = 250
const HEALTH_TIMEOUT_MS = 2_000
/** A copy that keeps crashing is started ever more slowly, from half a second to ten. */
const FIRST_RESTART_MS = 500
const MAX_RESTART_MS = 10_000
/** A copy that never became healthy is tried this often before its model counts as failed. */
const START_ATTEMPTS = 3
const STOP_GRACE_MS = 3_000
/** A copy that is no longer wanted may finish what it answers: an answer takes seconds, not minutes. */
const DRAIN_MS = 30_000
const DRAIN_POLL_MS = 50

/** The folder of the weights, as `transformers serve` is told: a name without the machine's paths. */
const WEIGHTS_NAME = 'model'

/** Where the weights come from: an uncompressed prefix or one gzipped tar. */
export type ModelSource = { s3Uri: string; kind: 'prefix' | 'archive' }

export type ServeCommand = (input: { port: number; weights: string }) => {
  command: string
  args: string[]
}

export type ModelServerSettings = {
  objects: Objects
  /** Holds the folders of all model servers. */
  stateDir: string
  logDir: string
  runDir: string
  pythonBin: string
  serveCommand: ServeCommand
}

export type ModelServer = {
  /**
   * Brings the number of healthy copies to `count`; rejects when a copy does not become healthy.
   * A later call replaces an earlier one that is still under way, which then rejects as superseded.
   */
  scaleTo(count: number, startupTimeoutMs: number): Promise<void>
  healthyCopies(): number
  /** The address of the healthy copy with the fewest requests under way, and a function to end the use. */
  lease(): { url: string; release: () => void } | undefined
  /** The model's own generation_config.json; where it has none, the special tokens of its config.json. */
  generationConfig(): Record<string, unknown>
  /** Ends every copy; `forget` removes the weights too, `drain` lets requests under way end first. */
  stop(forget: boolean, drain?: boolean): Promise<void>
}

type Copy = {
  number: number
  port: number
  healthy: boolean
  inUse: number
  /** True from when it gets no new requests: those under way may still end. */
  leaving: boolean
  stopping: AbortController
  /** Settles when the copy was healthy for the first time, or cannot become so. */
  ready: Promise<void>
  ended: Promise<void>
}

/** `key` names folders, logs and processes: letters, digits, dashes and dots. Nothing runs before `scaleTo`. */
export function createModelServer(
  settings: ModelServerSettings,
  key: string,
  source: ModelSource,
  environment: Record<string, string>,
): ModelServer {
  const folder = join(serversFolder(settings), key)
  const weights = join(folder, WEIGHTS_NAME)
  const copies: Copy[] = []
  let downloaded: Promise<void> | undefined
  let generation = 0
  let gone = new AbortController()

  /** Downloads once; a marker that names the source tells whole weights from a download that was cut short. */
  async function ensureWeights(): Promise<void> {
    const marker = join(folder, 'downloaded-from')
    const source256 = createHash('sha256').update(`${source.kind} ${source.s3Uri}`).digest('hex')
    try {
      if (readFileSync(marker, 'utf8') === source256) return
    } catch {
      // not downloaded yet
    }
    rmSync(folder, { recursive: true, force: true })
    mkdirSync(weights, { recursive: true })
    if (source.kind === 'prefix') await downloadPrefix(settings.objects, source.s3Uri, weights, gone.signal)
    else {
      const archive = join(folder, 'model.tar.gz')
      await downloadObject(settings.objects, parseS3Uri(source.s3Uri)!, archive, gone.signal)
      await run('tar', ['-xzf', archive, '-C', weights, '--no-same-owner'])
      rmSync(archive)
    }
    // `/v1/models` of transformers fails unless its cache folder exists.
    mkdirSync(join(folder, 'huggingface', 'hub'), { recursive: true })
    mkdirSync(join(folder, 'tmp'), { recursive: true })
    writeFileSync(marker, source256)
  }

  function startCopy(startupTimeoutMs: number): void {
    const firstHealthy = Promise.withResolvers<void>()
    firstHealthy.promise.catch(() => {}) // `scaleTo` hears of it
    const copy: Copy = {
      number: nextNumber(copies),
      port: 0,
      healthy: false,
      inUse: 0,
      leaving: false,
      stopping: new AbortController(),
      ready: firstHealthy.promise,
      ended: Promise.resolve(),
    }
    copies.push(copy)
    copy.ended = supervise(copy, startupTimeoutMs, firstHealthy)
      .catch(error => firstHealthy.reject(error))
      .finally(() => copies.splice(copies.indexOf(copy), 1))
      .then(() => {})
  }

  async function supervise(
    copy: Copy,
    startupTimeoutMs: number,
    firstHealthy: PromiseWithResolvers<void>,
  ): Promise<void> {
    const { signal } = copy.stopping
    let pauseMs = FIRST_RESTART_MS
    let wasHealthy = false
    for (let attempt = 1; !signal.aborted; attempt++) {
      copy.port = await freePort()
      const { command, args } = settings.serveCommand({ port: copy.port, weights: WEIGHTS_NAME })
      const group = spawnGroup({
        name: `model-${key}-${copy.number}`,
        command,
        args,
        env: { ...privateHome(folder, join(folder, 'tmp'), settings.pythonBin), ...environment },
        inheritEnv: false,
        cwd: folder,
        logFile: join(settings.logDir, 'endpoints', `${key}.log`),
        runDir: settings.runDir,
      })
      let exited = false
      const exit = group.exited.then(() => {
        exited = true
      })
      const deadline = Date.now() + startupTimeoutMs
      while (!exited && !signal.aborted && Date.now() < deadline && !(await isHealthy(copy.port)))
        await Promise.race([exit, sleep(HEALTH_POLL_MS)])
      if (!exited && !signal.aborted && Date.now() < deadline) {
        copy.healthy = true
        wasHealthy = true
        pauseMs = FIRST_RESTART_MS
        firstHealthy.resolve()
        await Promise.race([exit, aborted(signal)])
        copy.healthy = false
      }
      await group.stop(STOP_GRACE_MS)
      if (signal.aborted) break
      if (!wasHealthy && (attempt >= START_ATTEMPTS || Date.now() >= deadline))
        return firstHealthy.reject(new Error('The primary container did not pass the ping health check.'))
      await sleep(pauseMs, undefined, { signal }).catch(() => {})
      pauseMs = Math.min(pauseMs * 2, MAX_RESTART_MS)
    }
    firstHealthy.reject(new Superseded())
  }

  async function endCopy(copy: Copy, drainMs: number): Promise<void> {
    copy.leaving = true
    const deadline = Date.now() + drainMs
    while (copy.inUse > 0 && Date.now() < deadline) await sleep(DRAIN_POLL_MS)
    copy.stopping.abort()
    await copy.ended
  }

  const staying = () => copies.filter(copy => !copy.leaving)

  return {
    async scaleTo(count, startupTimeoutMs) {
      const mine = ++generation
      if (gone.signal.aborted) gone = new AbortController()
      const ending = staying()
        .slice(count)
        .map(copy => endCopy(copy, DRAIN_MS))
      if (count > 0) {
        downloaded ??= ensureWeights().catch(error => {
          downloaded = undefined // the next call tries again
          throw error
        })
        await downloaded
        if (mine !== generation) throw new Superseded()
        while (staying().length < count) startCopy(startupTimeoutMs)
        await Promise.all(staying().map(copy => copy.ready))
      }
      await Promise.all(ending)
      if (mine !== generation) throw new Superseded()
    },
    healthyCopies: () => staying().filter(copy => copy.healthy).length,
    lease() {
      const copy = staying()
        .filter(candidate => candidate.healthy)
        .sort((a, b) => a.inUse - b.inUse)[0]
      if (!copy) return undefined
      copy.inUse++
      return {
        url: `http://127.0.0.1:${copy.port}`,
        release: () => {
          copy.inUse--
        },
      }
    },
    generationConfig() {
      const saved = readJson(join(weights, 'generation_config.json'))
      if (saved) return saved
      const { bos_token_id, eos_token_id, pad_token_id } = readJson(join(weights, 'config.json')) ?? {}
      return { bos_token_id, eos_token_id, pad_token_id }
    },
    async stop(forget, drain = false) {
      generation++
      gone.abort()
      await downloaded?.catch(() => {})
      await Promise.all(copies.map(copy => endCopy(copy, drain ? DRAIN_MS : 0)))
      downloaded = undefined
      if (forget) rmSync(folder, { recursive: true, force: true })
    },
  }
}

/** Removes the weights of model servers that are not among `keys`: of revisions that a crash cut short. */
export function forgetOtherModelServers(settings: ModelServerSettings, keys: ReadonlySet<string>): void {
  mkdirSync(serversFolder(settings), { recursive: true })
  for (const key of readdirSync(serversFolder(settings)))
    if (!keys.has(key)) rmSync(join(serversFolder(settings), key), { recursive: true, force: true })
}

function serversFolder(settings: ModelServerSettings): string {
  return join(settings.stateDir, 'model-servers')
}

/** What a call meets that a later one replaced. */
export class Superseded extends Error {}

async function isHealthy(port: number): Promise<boolean> {
  try {
    const answer = await fetch(`http://127.0.0.1:${port}/health`, {
      signal: AbortSignal.timeout(HEALTH_TIMEOUT_MS),
    })
    await answer.body?.cancel()
    return answer.ok
  } catch {
    return false // not listening yet
  }
}

function readJson(file: string): Record<string, unknown> | undefined {
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as Record<string, unknown>
  } catch {
    return undefined
  }
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise(resolve => {
    if (signal.aborted) resolve()
    else signal.addEventListener('abort', () => resolve(), { once: true })
  })
}

function nextNumber(copies: readonly Copy[]): number {
  let number = 1
  while (copies.some(copy => copy.number === number)) number++
  return number
}
