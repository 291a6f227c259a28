import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { startTicksOf } from '../../local/processes.ts'

const REPOSITORY = resolve(import.meta.dirname, '../..')
const LIMIT_MS = 120_000

let root: string

/**
 * A checkout of nothing: one npm package (a Node 24 of its own), a base model of one file, and a Python whose
 * `venv` and `pip install` only say what they were asked for.
 */
beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), 'openledger-setup-'))
  write('bin/python3', PYTHON)
  chmodSync(join(root, 'bin/python3'), 0o755)
  write('package.json', '{"name":"tiny","version":"1.0.0","dependencies":{"node":"file:./fake-node"}}')
  write('fake-node/package.json', '{"name":"node","version":"24.0.0","bin":{"node":"node.sh"}}')
  write('fake-node/node.sh', '#!/bin/sh\necho v24.0.0\n')
  chmodSync(join(root, 'fake-node/node.sh'), 0o755)
  write('local/emulator/requirements.txt', '# nothing\n')
  write('training/requirements-torch.txt', '# nothing\n')
  write('training/requirements.txt', '# nothing\n')
  write('training/prepare_base_model.py', PREPARE)
  copyFileSync(join(REPOSITORY, 'local/setup.mjs'), join(root, 'local/setup.mjs'))
  execFileSync('npm', ['install', '--package-lock-only', '--offline', '--no-audit', '--no-fund'], {
    cwd: root,
  })
}, LIMIT_MS)
afterAll(() => rmSync(root, { recursive: true, force: true }))

const REAL_PYTHON = execFileSync('which', ['python3'], { encoding: 'utf8' }).trim()
const PYTHON = `#!/bin/sh
case "$*" in
  *version_info*) echo 3 11 ;;
  *ensurepip*) ;;
  "-m venv "*) mkdir -p "$3/bin" && cp "$0" "$3/bin/python" ;;
  *"pip install"*) echo "$*" >> asked ;;
  *) exec ${REAL_PYTHON} "$@" ;;
esac
`
const PREPARE = `
import pathlib, sys, time, os
out = pathlib.Path(sys.argv[2])
out.mkdir(parents=True, exist_ok=True)
(out / "half").write_text(str(os.getpid()))
if os.path.exists("slow"): time.sleep(300)
if os.path.exists("broken"): sys.exit("the weights are broken")
(out / "manifest.json").write_text("{}")
`

function write(path: string, text: string): void {
  mkdirSync(dirname(join(root, path)), { recursive: true })
  writeFileSync(join(root, path), text)
}

type Result = { code: number | null; output: string; seconds: number }

function setup(...args: string[]): Promise<Result> {
  return result(startSetup(args))
}

function startSetup(args: string[], path = `${join(root, 'bin')}:${process.env.PATH}`): ChildProcess {
  const env = { ...process.env, PATH: path }
  return spawn(process.execPath, [join(root, 'local/setup.mjs'), ...args], {
    env,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
}

async function result(child: ChildProcess): Promise<Result> {
  const started = performance.now()
  let output = ''
  for (const stream of [child.stdout!, child.stderr!]) stream.on('data', chunk => (output += chunk))
  const code = await new Promise<number | null>(done => child.once('close', done))
  return { code, output, seconds: (performance.now() - started) / 1000 }
}

const inTools = (path: string) => existsSync(join(root, '.local/tools', path))

test(
  'the first run says sizes before it begins and makes everything; the second is silent and quick',
  async () => {
    const first = await setup()
    expect(first.output).toMatch(
      /about \d+ MB will be installed[\s\S]*Node 24[\s\S]*done: npm packages[\s\S]*done: base model/,
    )
    expect(first.code).toBe(0)
    expect(existsSync(join(root, 'node_modules/.bin/node'))).toBe(true)
    expect(inTools('emulator-venv/bin/python') && inTools('training-venv/bin/python')).toBe(true)
    expect(existsSync(join(root, '.local/base-models/smollm2-135m/manifest.json'))).toBe(true)
    // PyTorch first and by itself: see the requirements' own comments.
    const asked = readFileSync(join(root, 'asked'), 'utf8').match(/-r \S+/g)
    expect(asked).toEqual([
      '-r local/emulator/requirements.txt',
      '-r training/requirements-torch.txt',
      '-r training/requirements.txt',
    ])
    const second = await setup()
    expect(second).toMatchObject({ code: 0, output: '' })
    expect(second.seconds).toBeLessThan(1)
  },
  LIMIT_MS,
)

test(
  'a changed input makes its step due, and no other',
  async () => {
    write('local/emulator/requirements.txt', '# changed\n')
    const { output } = await setup()
    expect(output.match(/done: .*/g)).toEqual([expect.stringContaining('MiniStack')])
  },
  LIMIT_MS,
)

test(
  '--only does the named steps and those that they need',
  async () => {
    rmSync(join(root, '.local/tools/stamps'), { recursive: true })
    const { output } = await setup('--only', 'base-model')
    expect(output.match(/done: \w+/g)).toEqual(['done: training', 'done: base'])
    expect(await setup('--only', 'nothing')).toMatchObject({ code: 1 })
    await setup()
  },
  LIMIT_MS,
)

test(
  'a set-up that is killed leaves nothing running, and the next one does the step again',
  async () => {
    write('slow', '')
    write('training/prepare_base_model.py', `${PREPARE}# changed\n`)
    const half = join(root, '.local/base-models/smollm2-135m/half')
    rmSync(half, { force: true })
    const killed = startSetup([])
    const ended = result(killed)
    while (!existsSync(half)) await sleep(50)
    const job = Number(readFileSync(half, 'utf8'))
    killed.kill('SIGKILL')
    await ended
    while (startTicksOf(job) !== undefined) await sleep(50)
    rmSync(join(root, 'slow'))
    expect((await setup()).output).toContain('done: base model')
    expect(await setup()).toMatchObject({ code: 0, output: '' })
  },
  LIMIT_MS,
)

test(
  'a second set-up waits for the first and does nothing twice',
  async () => {
    write('local/emulator/requirements.txt', '# changed again\n')
    const both = await Promise.all([setup(), setup()])
    expect(both.map(({ code }) => code)).toEqual([0, 0])
    expect(
      both
        .map(({ output }) => output)
        .join('')
        .match(/done: /g),
    ).toHaveLength(1)
  },
  LIMIT_MS,
)

test(
  'a step that fails says why and where its log is, and is done by the next run',
  async () => {
    write('broken', '')
    write('training/prepare_base_model.py', `${PREPARE}# changed once more\n`)
    const failed = await setup()
    expect(failed.code).toBe(1)
    expect(failed.output).toMatch(/the weights are broken[\s\S]*setup-base-model\.log[\s\S]*start again/)
    rmSync(join(root, 'broken'))
    expect((await setup()).code).toBe(0)
  },
  LIMIT_MS,
)

test(
  'without a Python that has venv it says which one is needed and how to get it',
  async () => {
    write('local/emulator/requirements.txt', '# changed for no Python\n')
    const tools = join(root, 'path-without-python')
    mkdirSync(tools)
    for (const program of ['sh', 'env', 'uname'])
      symlinkSync(execFileSync('which', [program], { encoding: 'utf8' }).trim(), join(tools, program))
    const child = startSetup([], tools)
    const { code, output } = await result(child)
    expect(code).toBe(1)
    expect(output).toMatch(/Python 3\.11 or newer with venv is needed[\s\S]*apt-get install/)
    expect(readdirSync(join(root, '.local/tools'))).not.toContain('setup.lock')
  },
  LIMIT_MS,
)

test('it runs on the Node of the machine, from 20 on', async () => {
  // The machine's own Node is older than the one of this repository.
  const own = (process.env.PATH ?? '')
    .split(':')
    .filter(folder => !folder.includes('node_modules'))
    .map(folder => join(folder, 'node'))
    .find(existsSync)
  if (own === undefined) throw new Error('no Node beside the repository')
  const version = execFileSync(own, ['--version'], { encoding: 'utf8' })
  expect(Number(version.slice(1).split('.')[0])).toBeGreaterThanOrEqual(20)
  await setup()
  expect(execFileSync(own, [join(root, 'local/setup.mjs')], { encoding: 'utf8' })).toBe('')
})
