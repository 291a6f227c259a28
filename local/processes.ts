/**
 * Child processes that never outlive their parent.
 *
 * Each child leads a process group of its own, so that stopping it also stops what it started (the
 * emulator's Lambda workers, a data loader). Three things end it, whatever happens to the parent:
 *
 * 1. `stop()`: SIGTERM to the group, SIGKILL after the grace time.
 * 2. The parent ends in any way, kill -9 included: a guard, a shell of 1 MB outside of the group, holds the
 *    reading end of a pipe from the parent, sees it close, and ends the group the same way.
 * 3. The guard is killed too: the record in `runDir` lets the next start end it (`endLeftovers`).
 *
 * A record names the start time beside the process id, so that a process id that the system has given to
 * somebody else is never signaled.
 */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import {
  closeSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { dirname, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

/** How long a group may take to end after SIGTERM before it is killed, unless the caller says otherwise. */
const DEFAULT_GRACE_MS = 5_000
/** How often a group that is ending is looked at: short beside the shortest stop (anvil, 20 ms). */
const POLL_MS = 25
/** After SIGKILL only the kernel's own work is left. */
const KILL_WAIT_MS = 5_000

export type SpawnGroupOptions = {
  /** Names the record in `runDir`: letters, digits, dot, dash and underscore; one living group a name. */
  name: string
  command: string
  args?: readonly string[]
  /** Laid over this process's environment; `undefined` removes a variable. */
  env?: Readonly<Record<string, string | undefined>>
  /** False gives the command `env` and nothing of this process's environment. @default true */
  inheritEnv?: boolean
  cwd?: string
  /** Standard output and error are appended here. */
  logFile: string
  /** Where the record of what is running is kept. */
  runDir: string
  /** What is granted between SIGTERM and SIGKILL when the parent is gone. @default 5000 */
  guardGraceMs?: number
  /**
   * Who is told by SIGTERM: everybody, or the leader alone, when it has to save what it knows before its
   * workers vanish. What is left when the leader has ended is killed. @default 'group'
   */
  terminate?: 'group' | 'leader'
}

export type Exit = { code: number | null; signal: NodeJS.Signals | null }

export type ProcessGroup = {
  name: string
  /** The leader's process id, which is also the group's id. */
  pid: number
  /** Settles when the leader has ended and nothing of its group is left; never rejects. */
  exited: Promise<Exit>
  /** Sends a signal to the whole group; nothing happens when it has ended. */
  signal(signal: NodeJS.Signals): void
  /** SIGTERM, then SIGKILL after `graceMs`; resolves when the whole group is gone. Safe to call again. */
  stop(graceMs?: number): Promise<Exit>
}

type ProcessRecord = {
  name: string
  pid: number
  /** The leader's start time as the system tells it (clock ticks since boot on Linux). */
  startTicks: string
  terminate: 'group' | 'leader'
  /** Milliseconds between SIGTERM and SIGKILL. */
  graceMs: number
  /** Who started it: while that process lives, the group is in use and no leftover. */
  owner: { pid: number; startTicks: string }
}

/**
 * Waits on the pipe before it becomes the command, so that nothing runs before its guard and record exist;
 * a parent that dies first closes the pipe and the command never starts.
 */
const LEADER_SCRIPT = 'IFS= read -r go <&3 || exit 125; exec 3<&-; exec "$@"'

/**
 * `read` returns a line when the parent reports that the group has ended, and fails when the pipe closes
 * without one: the parent is dead. The group's id cannot be reused while a member lives, so a leader with
 * another start time means that the group is gone.
 */
const GUARD_SCRIPT = `
trap '' TERM INT HUP
IFS= read -r done_line && exit 0
group=$1 start_ticks=$2 polls=$3 told=$4
if [ -r "/proc/$group/stat" ]; then
  IFS= read -r stat < "/proc/$group/stat"
  set -- \${stat##*) }
  shift 19
  [ "$1" = "$start_ticks" ] || exit 0
fi
kill -s TERM -- "$told" 2>/dev/null
while [ "$polls" -gt 0 ] && kill -s 0 -- "$told" 2>/dev/null; do sleep 0.1; polls=$((polls - 1)); done
kill -s KILL -- "-$group" 2>/dev/null
exit 0`

/**
 * Starts `command` as the leader of a new process group, with a guard and a record.
 * A command that cannot be executed exits with code 126 or 127 and says why in the log.
 */
export function spawnGroup(options: SpawnGroupOptions): ProcessGroup {
  const { name, command, args = [], logFile, runDir, terminate = 'group' } = options
  const { guardGraceMs = DEFAULT_GRACE_MS, inheritEnv = true } = options
  if (!/^[\w.-]+$/.test(name))
    throw new Error(`A process name is letters, digits, dot, dash and underscore: ${name}`)
  mkdirSync(runDir, { recursive: true })
  mkdirSync(dirname(logFile), { recursive: true })

  const log = openSync(logFile, 'a')
  let leader: ChildProcess
  try {
    leader = spawn('/bin/sh', ['-c', LEADER_SCRIPT, name, command, ...args], {
      cwd: options.cwd,
      env: { ...(inheritEnv ? process.env : {}), ...options.env },
      stdio: ['ignore', log, log, 'pipe'],
      detached: true,
    })
  } finally {
    closeSync(log)
  }
  const pid = leader.pid
  if (pid === undefined) {
    leader.once('error', () => {})
    throw new Error(`Could not start ${name}: no shell could be run in ${options.cwd ?? process.cwd()}`)
  }

  const startTicks = startTicksOf(pid) ?? ''
  const told = terminate === 'group' ? -pid : pid
  const polls = Math.ceil(guardGraceMs / 100)
  const guard = spawn(
    '/bin/sh',
    ['-c', GUARD_SCRIPT, `guard-${name}`, String(pid), startTicks, String(polls), String(told)],
    { cwd: '/', stdio: ['pipe', 'ignore', 'ignore'], detached: true },
  )
  guard.stdin?.on('error', () => {})
  guard.on('error', () => {})
  guard.unref()
  writeRecord(runDir, { name, pid, startTicks, terminate, graceMs: guardGraceMs, owner: ownIdentity() })

  const go = leader.stdio[3] as NodeJS.WritableStream
  go.on('error', () => {}) // the leader was killed before it read: its exit tells
  go.end('go\n')

  const exited = (async (): Promise<Exit> => {
    const exit = await new Promise<Exit>(resolve => {
      leader.once('exit', (code, signal) => resolve({ code, signal }))
    })
    // A group lives as long as its leader: workers of a crashed leader would hold its ports.
    sendSignal(-pid, 'SIGKILL')
    await gone(-pid, KILL_WAIT_MS)
    guard.stdin?.end('done\n')
    removeRecord(runDir, name, pid)
    return exit
  })()

  return {
    name,
    pid,
    exited,
    signal: signal => sendSignal(-pid, signal),
    async stop(graceMs = DEFAULT_GRACE_MS) {
      await end(pid, terminate, graceMs)
      return exited
    },
  }
}

export type Leftovers = {
  /** Names of the groups of an earlier run that were ended. */
  ended: string[]
  /** Names of the groups whose starter still runs: nothing was done to them. */
  inUse: string[]
}

/**
 * Ends what an earlier run left behind (its parent and its guard were killed), and removes stale records.
 * Groups whose starter is another living process are left alone and named.
 */
export async function endLeftovers(runDir: string): Promise<Leftovers> {
  const result: Leftovers = { ended: [], inUse: [] }
  await Promise.all(
    readRecords(runDir).map(async ({ file, record }) => {
      if (record === undefined) {
        rmSync(file, { force: true }) // half-written by a crash before the command was let go
        return
      }
      if (isAlive(record.owner)) {
        result.inUse.push(record.name)
        return
      }
      const leaderTicks = startTicksOf(record.pid)
      const isOurs = leaderTicks === undefined ? lives(-record.pid) : leaderTicks === record.startTicks
      if (isOurs) {
        await end(record.pid, record.terminate, record.graceMs)
        result.ended.push(record.name)
      }
      rmSync(file, { force: true })
    }),
  )
  result.ended.sort()
  result.inUse.sort()
  return result
}

/** The start time of a living process as the system tells it, or undefined when there is none. */
export function startTicksOf(pid: number): string | undefined {
  if (process.platform === 'linux') {
    const stat = readStat(pid)
    return stat === undefined || stat.state === 'Z' ? undefined : stat.startTicks
  }
  try {
    return execFileSync('ps', ['-o', 'lstart=', '-p', String(pid)], { encoding: 'utf8' }).trim() || undefined
  } catch {
    return undefined
  }
}

/** Fields of /proc/PID/stat, proc(5): the second, the name, may hold spaces and parentheses. */
function readStat(pid: number): { state: string; group: number; startTicks: string } | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    return { state: fields[0] ?? '', group: Number(fields[2]), startTicks: fields[19] ?? '' }
  } catch {
    return undefined
  }
}

function isAlive(process: { pid: number; startTicks: string }): boolean {
  return startTicksOf(process.pid) === process.startTicks
}

function ownIdentity() {
  return { pid: process.pid, startTicks: startTicksOf(process.pid) ?? '' }
}

/** SIGTERM to the group or its leader, and SIGKILL to the group for what is left after it or `graceMs`. */
async function end(pid: number, terminate: 'group' | 'leader', graceMs: number): Promise<void> {
  const told = terminate === 'group' ? -pid : pid
  sendSignal(told, 'SIGTERM')
  await gone(told, graceMs)
  sendSignal(-pid, 'SIGKILL')
  await gone(-pid, KILL_WAIT_MS)
}

/** To a process, or to a group by its negative number, as kill(2) has it. */
function sendSignal(target: number, signal: NodeJS.Signals): void {
  try {
    process.kill(target, signal)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
  }
}

/** True while it runs; what only waits to be reaped (a container without an init) counts as gone. */
function lives(target: number): boolean {
  try {
    process.kill(target, 0)
  } catch {
    return false
  }
  if (process.platform !== 'linux') return true
  if (target > 0) return startTicksOf(target) !== undefined
  return readdirSync('/proc').some(entry => {
    if (!/^\d+$/.test(entry)) return false
    const stat = readStat(Number(entry))
    return stat !== undefined && stat.group === -target && stat.state !== 'Z'
  })
}

async function gone(target: number, withinMs: number): Promise<boolean> {
  const deadline = performance.now() + withinMs
  while (lives(target)) {
    if (performance.now() >= deadline) return false
    await sleep(POLL_MS)
  }
  return true
}

function recordFile(runDir: string, name: string): string {
  return join(runDir, `${name}.process.json`)
}

function writeRecord(runDir: string, record: ProcessRecord): void {
  const file = recordFile(runDir, record.name)
  const temporary = `${file}.${process.pid}.tmp`
  writeFileSync(temporary, `${JSON.stringify(record)}\n`)
  renameSync(temporary, file)
}

/** Only its own record: a group started since under the same name keeps its one. */
function removeRecord(runDir: string, name: string, pid: number): void {
  const file = recordFile(runDir, name)
  if (readRecord(file)?.pid === pid) rmSync(file, { force: true })
}

function readRecord(file: string): ProcessRecord | undefined {
  try {
    const record = JSON.parse(readFileSync(file, 'utf8')) as ProcessRecord
    return Number.isSafeInteger(record.pid) && record.pid > 1 ? record : undefined
  } catch {
    return undefined
  }
}

function readRecords(runDir: string) {
  let entries: string[]
  try {
    entries = readdirSync(runDir)
  } catch {
    return [] // nothing ran here yet
  }
  return entries
    .filter(entry => entry.includes('.process.json'))
    .map(entry => join(runDir, entry))
    .map(file => ({ file, record: readRecord(file) }))
}
