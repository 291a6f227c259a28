import { spawn } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { claimPorts, freePort } from '../../local/ports.ts'
import { endLeftovers, spawnGroup, startTicksOf } from '../../local/processes.ts'

const REPOSITORY = resolve(import.meta.dirname, '../..')
let dir: string
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'openledger-processes-'))
})
afterEach(() => rmSync(dir, { recursive: true, force: true }))

/** A leader that writes its worker's process id, then waits; both can be told to ignore SIGTERM. */
const LEADER = 'sleep 300 & echo worker $!; wait'
const DEAF_LEADER = 'trap "" TERM; sleep 300 & echo worker $!; while :; do wait; done'

function group(script: string, name = 'leader') {
  return spawnGroup({ name, command: 'sh', args: ['-c', script], logFile: join(dir, 'log'), runDir: dir })
}

function records(): string[] {
  return readdirSync(dir).filter(file => file.endsWith('.process.json'))
}

async function workerPid(): Promise<number> {
  return Number(await eventually(() => /worker (\d+)/.exec(readFileSync(join(dir, 'log'), 'utf8'))?.[1]))
}

async function eventually<T>(probe: () => T | undefined | false, withinMs = 5_000): Promise<T> {
  const deadline = performance.now() + withinMs
  for (;;) {
    try {
      const value = probe()
      if (value !== undefined && value !== false) return value
    } catch {
      // not yet
    }
    if (performance.now() > deadline) throw new Error(`not within ${withinMs} ms: ${probe}`)
    await sleep(20)
  }
}

const alive = (pid: number) => startTicksOf(pid) !== undefined

describe('a process group', () => {
  test('runs the command with its environment and appends both outputs to the log', async () => {
    writeFileSync(join(dir, 'log'), 'before\n')
    const child = spawnGroup({
      name: 'echo',
      command: 'sh',
      args: ['-c', 'echo "$GREETING $PWD"; echo error >&2; exit 3'],
      env: { GREETING: 'hello' },
      cwd: '/',
      logFile: join(dir, 'log'),
      runDir: dir,
    })
    expect(await child.exited).toEqual({ code: 3, signal: null })
    expect(readFileSync(join(dir, 'log'), 'utf8')).toBe('before\nhello /\nerror\n')
    expect(records()).toEqual([])
  })

  test('a command that does not exist exits with 127 and a reason in the log', async () => {
    const child = spawnGroup({
      name: 'missing',
      command: 'no-such-command',
      logFile: join(dir, 'log'),
      runDir: dir,
    })
    expect((await child.exited).code).toBe(127)
    expect(readFileSync(join(dir, 'log'), 'utf8')).toContain('no-such-command')
  })

  test('stop ends the leader and what it started, and removes the record', async () => {
    const child = group(LEADER)
    const worker = await workerPid()
    expect(records()).toEqual(['leader.process.json'])
    await child.stop()
    expect([alive(child.pid), alive(worker)]).toEqual([false, false])
    expect(records()).toEqual([])
    await child.stop()
  })

  test('a group that ignores SIGTERM is killed after the grace time, not before', async () => {
    const child = group(DEAF_LEADER)
    const worker = await workerPid()
    const started = performance.now()
    expect((await child.stop(400)).signal).toBe('SIGKILL')
    expect(performance.now() - started).toBeGreaterThan(390)
    expect([alive(child.pid), alive(worker)]).toEqual([false, false])
  })

  test('a leader that is told alone saves its work before its workers are ended', async () => {
    const child = spawnGroup({
      name: 'leader',
      command: 'sh',
      args: [
        '-c',
        'sleep 300 & worker=$!; trap "sleep 0.2; kill -0 $worker && echo worker lives; exit" TERM; echo worker $worker; wait',
      ],
      logFile: join(dir, 'log'),
      runDir: dir,
      terminate: 'leader',
    })
    const worker = await workerPid()
    await child.stop()
    expect(readFileSync(join(dir, 'log'), 'utf8')).toContain('worker lives')
    expect(alive(worker)).toBe(false)
  })

  test('gets nothing of this environment where it shall not', async () => {
    process.env.OPENLEDGER_TEST_SECRET = 'secret'
    const child = spawnGroup({
      name: 'env',
      command: '/usr/bin/env',
      env: { GREETING: 'hello' },
      inheritEnv: false,
      logFile: join(dir, 'log'),
      runDir: dir,
    })
    await child.exited
    expect(readFileSync(join(dir, 'log'), 'utf8')).toContain('GREETING=hello')
    expect(readFileSync(join(dir, 'log'), 'utf8')).not.toContain('OPENLEDGER_TEST_SECRET')
  })

  test('workers do not outlive a leader that ends by itself', async () => {
    const child = group('sleep 300 & echo worker $!')
    await child.exited
    expect(alive(await workerPid())).toBe(false)
  })
})

/** A parent of its own, since the test cannot kill itself. */
function startParent(script: string) {
  writeFileSync(
    join(dir, 'parent.ts'),
    `import { spawnGroup } from ${JSON.stringify(join(REPOSITORY, 'local/processes.ts'))}
     spawnGroup({ name: 'leader', command: 'sh', args: ['-c', ${JSON.stringify(script)}],
       logFile: ${JSON.stringify(join(dir, 'log'))}, runDir: ${JSON.stringify(dir)}, guardGraceMs: 500 })
     setInterval(() => {}, 1000)`,
  )
  const node = join(REPOSITORY, 'node_modules/.bin/node')
  return spawn(node, [join(dir, 'parent.ts')], { stdio: 'inherit', detached: true })
}

function recordedPid(): number {
  return JSON.parse(readFileSync(join(dir, 'leader.process.json'), 'utf8')).pid
}

describe('when the parent is killed by kill -9', () => {
  test.each([
    ['a polite group', LEADER],
    ['a group that ignores SIGTERM', DEAF_LEADER],
  ])('%s is ended by its guard', async (_name, script) => {
    const parent = startParent(script)
    const worker = await workerPid()
    const leader = recordedPid()
    expect([alive(leader), alive(worker)]).toEqual([true, true])
    parent.kill('SIGKILL')
    await eventually(() => !alive(leader) && !alive(worker))
  })

  test('and its guard too, the next start ends the group', async () => {
    const parent = startParent(DEAF_LEADER)
    const worker = await workerPid()
    const leader = recordedPid()
    const guard = await eventually(() =>
      readdirSync('/proc').find(pid => {
        if (!/^\d+$/.test(pid)) return false
        const argv = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0')
        return argv[3] === 'guard-leader' && argv[4] === String(leader)
      }),
    )
    expect(await endLeftovers(dir)).toEqual({ ended: [], inUse: ['leader'] })
    process.kill(Number(guard), 'SIGKILL')
    parent.kill('SIGKILL')
    await eventually(() => !alive(parent.pid!))
    await sleep(100)
    expect(alive(leader)).toBe(true)
    expect(await endLeftovers(dir)).toEqual({ ended: ['leader'], inUse: [] })
    expect([alive(leader), alive(worker)]).toEqual([false, false])
    expect(records()).toEqual([])
  })
})

describe('leftovers', () => {
  test('a process id that was given to somebody else is never signaled', async () => {
    const bystander = spawn('sleep', ['300'], { detached: true, stdio: 'ignore' })
    const pid = bystander.pid!
    writeFileSync(
      join(dir, 'old.process.json'),
      JSON.stringify({ name: 'old', pid, startTicks: '1', owner: { pid: 2 ** 22 + 1, startTicks: '1' } }),
    )
    writeFileSync(join(dir, 'torn.process.json'), '{"name":')
    expect(await endLeftovers(dir)).toEqual({ ended: [], inUse: [] })
    expect(alive(pid)).toBe(true)
    expect(records()).toEqual([])
    bystander.kill('SIGKILL')
  })

  test('a folder that does not exist has none', async () => {
    expect(await endLeftovers(join(dir, 'none'))).toEqual({ ended: [], inUse: [] })
  })
})

describe('ports', () => {
  const listen = async (port: number) => {
    const server = createServer()
    await new Promise<void>(done => server.listen(port, '127.0.0.1', done))
    return server
  }

  test('the ports of last time are claimed again', async () => {
    const file = join(dir, 'state/ports.json')
    const first = await claimPorts(['emulator', 'chain'], file)
    expect(first.ports.emulator).not.toBe(first.ports.chain)
    expect(await claimPorts(['chain', 'emulator'], file)).toEqual({ ports: first.ports, changed: [] })
  })

  test('a port that somebody else took since is replaced, and said to be', async () => {
    const file = join(dir, 'ports.json')
    const { ports } = await claimPorts(['emulator', 'chain'], file)
    const thief = await listen(ports.chain)
    const again = await claimPorts(['emulator', 'chain'], file)
    expect(again.ports.emulator).toBe(ports.emulator)
    expect(again.changed).toEqual([{ name: 'chain', was: ports.chain, now: again.ports.chain }])
    expect(again.ports.chain).not.toBe(ports.chain)
    thief.close()
  })

  test('a torn file is replaced', async () => {
    const file = join(dir, 'ports.json')
    writeFileSync(file, '{"chain":')
    expect((await claimPorts(['chain'], file)).changed).toEqual([])
  })

  test('a free port can be listened on', async () => {
    const server = await listen(await freePort())
    server.close()
  })
})
