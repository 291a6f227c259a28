/**
 * Anvil as the local chain: a block a second, final two blocks later, and a state that outlives it.
 *
 * It writes its state when it is ended by SIGTERM (`exit.json`, also when the parent was killed: the guard of
 * its process group sends it), and a snapshot is taken every few seconds for the case that it is killed
 * itself. The next start takes the higher of the two. Of earlier blocks it then knows header, transactions,
 * receipts and logs, but not the state: `eth_call` at a block from before a restart is refused, as by any
 * node that is not an archive.
 */
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { gunzipSync } from 'node:zlib'
import { type Exit, spawnGroup } from '../processes.ts'

const BLOCK_SECONDS = 1
/** With one slot an epoch, `safe` is one block behind the newest and `finalized` two. */
const SLOTS_IN_AN_EPOCH = 1
/** What a kill -9 of the chain itself may lose. */
const SNAPSHOT_EVERY_MS = 5_000
/** A snapshot grows by about 170 bytes a block: it may take at most a twentieth of the time. */
const REST_PER_SNAPSHOT = 20
/** It answers in a fifth of a second; loading a day's blocks takes some. */
const READY_WITHIN_MS = 60_000
const STOP_WITHIN_MS = 30_000
const POLL_MS = 20

/** The public mnemonic of every development chain: its accounts are worth nothing anywhere else. */
export const DEV_MNEMONIC = 'test test test test test test test test test test test junk'

export type ChainOptions = {
  /** On 127.0.0.1; must be free. */
  port: number
  stateDir: string
  runDir: string
  logDir: string
  chainId: number
}

export type Chain = {
  url: string
  chainId: number
  pid: number
  /** Settles when it has ended, wanted or not. */
  exited: Promise<Exit>
  stop(): Promise<void>
}

/**
 * Starts the chain from the state of last time, if there is one, and waits until it answers as itself.
 * Throws with the end of its log when it does not come up.
 */
export async function startChain(options: ChainOptions): Promise<Chain> {
  const { port, stateDir, runDir, logDir, chainId } = options
  mkdirSync(stateDir, { recursive: true })
  const files = stateFiles(stateDir)
  for (const file of [files.ready, files.cache]) rmSync(file, { recursive: true, force: true })
  const restored = latestState(files)
  if (restored !== undefined) writeWhole(files.load, restored)
  const logFile = join(logDir, 'chain.log')

  const group = spawnGroup({
    name: 'chain',
    command: anvilBinary(),
    args: [
      ...['--host', '127.0.0.1', '--port', String(port), '--chain-id', String(chainId)],
      ...['--block-time', String(BLOCK_SECONDS), '--slots-in-an-epoch', String(SLOTS_IN_AN_EPOCH)],
      ...['--mnemonic', DEV_MNEMONIC, '--accounts', '1', '--silent'],
      ...['--config-out', files.ready, '--cache-path', files.cache, '--dump-state', files.exit],
      ...(restored === undefined ? [] : ['--load-state', files.load]),
    ],
    logFile,
    runDir,
    guardGraceMs: STOP_WITHIN_MS,
  })

  const url = `http://127.0.0.1:${port}`
  let ended: Exit | undefined
  void group.exited.then(exit => {
    ended = exit
  })
  const fail = async (reason: string): Promise<never> => {
    await group.stop()
    throw new Error(`The chain ${reason}. Its log ends:\n${readFileSync(logFile, 'utf8').slice(-2_000)}`)
  }
  const deadline = performance.now() + READY_WITHIN_MS
  // It writes this file once it listens, so that no other chain on a port taken meanwhile is believed.
  while (!existsSync(files.ready)) {
    if (ended !== undefined) await fail(`ended at start (exit ${ended.code ?? ended.signal})`)
    if (performance.now() > deadline) await fail(`did not listen on ${url} within a minute`)
    await sleep(POLL_MS)
  }
  const answered = Number(await rpc(url, 'eth_chainId'))
  if (answered !== chainId) await fail(`on ${url} is ${answered}, not ${chainId}`)

  const snapshots = takeSnapshots(url, files.snapshot)
  return {
    url,
    chainId,
    pid: group.pid,
    exited: group.exited,
    async stop() {
      await snapshots.stop()
      await group.stop(STOP_WITHIN_MS)
      rmSync(files.cache, { recursive: true, force: true })
    },
  }
}

/** One JSON-RPC call; throws with the node's message. */
export async function rpc(url: string, method: string, params: readonly unknown[] = []): Promise<unknown> {
  const response = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ jsonrpc: '2.0', id: 1, method, params }),
  })
  const answer = (await response.json()) as { result?: unknown; error?: { message: string } }
  if (answer.error !== undefined) throw new Error(`${method}: ${answer.error.message}`)
  return answer.result
}

type StateFiles = ReturnType<typeof stateFiles>

function stateFiles(stateDir: string) {
  return {
    /** Made by anvil when it listens. */
    ready: join(stateDir, 'ready.json'),
    /** Written by anvil on SIGTERM: not as a whole, so it may be torn. */
    exit: join(stateDir, 'exit.json'),
    /** Compressed by anvil, written as a whole here. */
    snapshot: join(stateDir, 'snapshot.json.gz'),
    /** What the current run was started from. */
    load: join(stateDir, 'load.json'),
    /** States of earlier blocks, for this run only. */
    cache: join(stateDir, 'cache'),
  }
}

/** The newest state that is whole: the highest block of what the last exit and the last snapshot left. */
function latestState(files: StateFiles): string | undefined {
  return [
    () => readFileSync(files.exit, 'utf8'),
    () => gunzipSync(readFileSync(files.snapshot)).toString('utf8'),
    () => readFileSync(files.load, 'utf8'),
  ]
    .map(heightOf)
    .filter(state => state !== undefined)
    .reduce<{ text: string; height: number } | undefined>(
      (best, state) => (best === undefined || state.height > best.height ? state : best),
      undefined,
    )?.text
}

function heightOf(read: () => string): { text: string; height: number } | undefined {
  try {
    const text = read()
    const { best_block_number: height } = JSON.parse(text) as { best_block_number: string | number }
    return Number.isSafeInteger(Number(height)) ? { text, height: Number(height) } : undefined
  } catch {
    return undefined // not there, or torn
  }
}

function takeSnapshots(url: string, file: string): { stop(): Promise<void> } {
  let stopped = false
  let timer: NodeJS.Timeout
  let current = Promise.resolve()
  const snapshot = async () => {
    const started = performance.now()
    try {
      const state = (await rpc(url, 'anvil_dumpState')) as string
      if (!stopped) writeWhole(file, Buffer.from(state.slice(2), 'hex'))
    } catch {
      // The chain is gone: `exited` tells.
    }
    if (!stopped) plan(Math.max(SNAPSHOT_EVERY_MS, REST_PER_SNAPSHOT * (performance.now() - started)))
  }
  const plan = (inMs: number) => {
    timer = setTimeout(() => {
      current = snapshot()
    }, inMs)
    timer.unref()
  }
  plan(SNAPSHOT_EVERY_MS)
  return {
    stop() {
      stopped = true
      clearTimeout(timer)
      return current
    },
  }
}

/** Written aside and renamed, so that a kill leaves the old file or the new one. */
function writeWhole(file: string, content: string | Buffer): void {
  writeFileSync(`${file}.new`, content)
  renameSync(`${file}.new`, file)
}

/** The program itself: the package's own entry would be a second process in between. */
function anvilBinary(): string {
  const arch = process.arch === 'x64' ? 'amd64' : process.arch
  const entry = createRequire(import.meta.url).resolve('@foundry-rs/anvil/package.json')
  const name = `@foundry-rs/anvil-${process.platform}-${arch}`
  try {
    return join(createRequire(entry).resolve(`${name}/package.json`), '..', 'bin', 'anvil')
  } catch (cause) {
    throw new Error(`There is no chain for this machine: ${name} is not installed`, { cause })
  }
}
