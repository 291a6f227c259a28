/**
 * MiniStack as the local AWS: started through `launcher.py`, which closes its gaps by named patches.
 * Lambdas run as its children on this repository's Node, find the emulator through AWS_ENDPOINT_URL and the
 * local SageMaker through AWS_ENDPOINT_URL_SAGEMAKER(_RUNTIME), which the unmodified SDK reads.
 */
import { randomUUID } from 'node:crypto'
import { mkdirSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { delimiter, join, resolve } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { type Exit, spawnGroup } from '../processes.ts'

/** It is ready in under a second; a cold disk or a busy machine may take much longer. */
const READY_WITHIN_MS = 60_000
/** Requests in flight get 3 s, then every service's state is written. */
const STOP_WITHIN_MS = 20_000
const POLL_MS = 50
/** What of the log goes into the error when it does not come up. */
const LOG_TAIL_LINES = 20

const HERE = import.meta.dirname
const SHIM = fileURLToPath(new URL('./awslambda_shim.cjs', import.meta.url))
const NODE_MODULES = resolve(HERE, '../../node_modules')

export type EmulatorOptions = {
  /** On 127.0.0.1; must be free. */
  port: number
  /** Everything that it keeps. */
  stateDir: string
  logDir: string
  runDir: string
  /** The Python environment of `requirements.txt`. */
  venvDir: string
  /** The local SageMaker, reached by task states and by the Lambdas' SDK clients. */
  sagemakerUrl: string
  /** True keeps the state over a stop, and over a kill -9 all but the last seconds of it. */
  persist: boolean
  /** Patches to leave out, for their contract tests. */
  without?: readonly string[]
}

export type Emulator = {
  url: string
  pid: number
  /** Settles when it has ended, wanted or not. */
  exited: Promise<Exit>
  stop(): Promise<void>
}

/**
 * Starts the emulator and waits until it answers.
 * Throws with the end of its log when it ends first or does not answer within a minute.
 */
export async function startEmulator(options: EmulatorOptions): Promise<Emulator> {
  const { port, stateDir, logDir, runDir, venvDir, without = [] } = options
  const logFile = join(logDir, 'emulator.log')
  const temporary = join(stateDir, 'tmp')
  rmSync(temporary, { recursive: true, force: true }) // code of Lambdas of a run that was killed
  mkdirSync(join(temporary, 'home'), { recursive: true })
  // Lambda's own runtime brings the SDK and nothing else: what a bundle lacks must fail here as well. The code
  // of a Lambda is unpacked below this folder, so that `import` finds it too.
  mkdirSync(join(temporary, 'node_modules'))
  // Where the folder lies in a checkout, Node would take the checkout's word for what a .js file is.
  writeFileSync(join(temporary, 'package.json'), '{ "type": "commonjs" }\n')
  symlinkSync(join(NODE_MODULES, '@aws-sdk'), join(temporary, 'node_modules', '@aws-sdk'))
  const logStart = sizeOf(logFile)
  const instance = `openledger-${randomUUID()}`

  const group = spawnGroup({
    name: 'emulator',
    command: join(venvDir, 'bin', 'python'),
    args: [join(HERE, 'launcher.py'), ...without.flatMap(patch => ['--without', patch])],
    env: environment(options, temporary, instance),
    inheritEnv: false, // every Lambda sees it: nothing of the person's credentials or proxies
    logFile,
    runDir,
    guardGraceMs: STOP_WITHIN_MS,
    terminate: 'leader', // a Lambda that vanishes first would fail its execution before that is saved
  })

  const url = `http://127.0.0.1:${port}`
  let ended: Exit | undefined
  void group.exited.then(exit => {
    ended = exit
  })
  const deadline = performance.now() + READY_WITHIN_MS
  while (!(await answersAs(url, instance))) {
    if (ended !== undefined) {
      throw new Error(
        `The emulator ended at start (exit ${ended.code ?? ended.signal}):\n${tail(logFile, logStart)}`,
      )
    }
    if (performance.now() > deadline) {
      await group.stop(0)
      throw new Error(`The emulator did not answer on ${url} within a minute:\n${tail(logFile, logStart)}`)
    }
    await sleep(POLL_MS)
  }

  return {
    url,
    pid: group.pid,
    exited: group.exited,
    async stop() {
      await group.stop(STOP_WITHIN_MS)
      rmSync(temporary, { recursive: true, force: true })
    },
  }
}

function environment(options: EmulatorOptions, temporary: string, instance: string): Record<string, string> {
  const { port, stateDir, sagemakerUrl, persist } = options
  const keep = persist ? '1' : '0'
  return {
    // The Lambdas run the first `node` on the path: this repository's.
    PATH: [join(NODE_MODULES, '.bin'), '/usr/local/bin', '/usr/bin', '/bin'].join(delimiter),
    NODE_PATH: join(temporary, 'node_modules'),
    // DEP0169: the worker's own use of url.parse would be in every function's log.
    NODE_OPTIONS: `--require ${JSON.stringify(SHIM)} --disable-warning=DEP0169`,
    HOME: join(temporary, 'home'), // no ~/.aws
    TMPDIR: temporary,
    LANG: 'C.UTF-8',
    PYTHONUNBUFFERED: '1',
    GATEWAY_PORT: String(port),
    BIND_HOST: '127.0.0.1',
    IOT_MTLS_ENABLED: '0', // would listen on every interface
    SFTP_ENABLED: '0',
    STATE_DIR: join(stateDir, 'state'),
    S3_DATA_DIR: join(stateDir, 's3'),
    PERSIST_STATE: keep,
    S3_PERSIST: keep,
    AWS_ENDPOINT_URL_SAGEMAKER: sagemakerUrl,
    AWS_ENDPOINT_URL_SAGEMAKER_RUNTIME: sagemakerUrl,
    MINISTACK_EDITION: instance, // told by its health route
  }
}

/** True when this very instance answers: another program may have taken the port in between. */
async function answersAs(url: string, instance: string): Promise<boolean> {
  try {
    const response = await fetch(`${url}/_ministack/health`)
    const health = (await response.json()) as { edition?: string }
    return response.ok && health.edition === instance
  } catch {
    return false // not yet
  }
}

function sizeOf(file: string): number {
  return statSync(file, { throwIfNoEntry: false })?.size ?? 0
}

function tail(file: string, from: number): string {
  return readFileSync(file)
    .subarray(from)
    .toString('utf8')
    .trimEnd()
    .split('\n')
    .slice(-LOG_TAIL_LINES)
    .join('\n')
}
