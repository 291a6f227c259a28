/**
 * Puts in place what `npm start` and `npm test` need beside this checkout: npm packages (Node 24 among them),
 * the emulator's and the training jobs' Python environments, and the base model's weights.
 *
 *   node local/setup.mjs [--only node,emulator,training,base-model]
 *
 * Plain JavaScript without dependencies: it runs first, on any Node from 20 on. Each step is done again when
 * what it is made from has changed, or when it did not come to its end: its stamp, the digest of its inputs,
 * is written last. It is silent when there is nothing to do. Packages come from wherever npm and pip of this
 * machine are configured to get them.
 */
import { spawn, spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  statfsSync,
  writeFileSync,
} from 'node:fs'
import { delimiter, dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'

const ROOT = resolve(dirname(fileURLToPath(import.meta.url)), '..')
const TOOLS = join(ROOT, '.local/tools')
const LOGS = join(ROOT, '.local/logs')
const LOCK = join(TOOLS, 'setup.lock')
const BASE_MODEL = join(ROOT, '.local/base-models/smollm2-135m')

const NEEDED_NODE = 20
const NEEDED_PYTHON = [3, 11]
const PYTHON_NAMES = ['python3', 'python3.14', 'python3.13', 'python3.12', 'python3.11', 'python']
/** Unpacked archives and the caches of npm and pip lie beside what is installed. */
const DISK_FACTOR = 1.5
const LOG_TAIL_LINES = 20

/**
 * The steps in their order. `sizeMB` is what was measured after the step on Linux x86_64; `inputs` are the
 * files whose change makes the step due; `product` is missing when somebody removed it.
 */
const STEPS = [
  {
    name: 'node',
    title: 'npm packages and Node 24',
    sizeMB: 920,
    inputs: ['package-lock.json'],
    product: join(ROOT, 'node_modules/.bin/node'),
    isDone: packagesMatchLock,
    run: installPackages,
  },
  {
    name: 'emulator',
    title: 'local AWS (MiniStack)',
    sizeMB: 110,
    inputs: ['local/emulator/requirements.txt'],
    product: join(TOOLS, 'emulator-venv/bin/python'),
    python: true,
    run: async (step, python) => {
      const venv = await createEnvironment(step, python, 'emulator-venv')
      await pip(step, venv, ['--no-deps', '--require-hashes', '-r', 'local/emulator/requirements.txt'])
    },
  },
  {
    name: 'training',
    title: 'training environment (PyTorch, Transformers)',
    sizeMB: 1_610,
    inputs: ['training/requirements-torch.txt', 'training/requirements.txt'],
    product: join(TOOLS, 'training-venv/bin/python'),
    python: true,
    run: async (step, python) => {
      const venv = await createEnvironment(step, python, 'training-venv')
      // First and by version alone: with the others, or by hash, it would bring gigabytes of CUDA.
      await pip(step, venv, ['-r', 'training/requirements-torch.txt'])
      await pip(step, venv, ['--no-deps', '--require-hashes', '-r', 'training/requirements.txt'])
    },
  },
  {
    name: 'base-model',
    title: 'base model (SmolLM2-135M-Instruct) as safetensors',
    sizeMB: 520,
    inputs: ['training/prepare_base_model.py', 'training/requirements.txt'],
    product: join(BASE_MODEL, 'manifest.json'),
    needs: 'training',
    run: step =>
      run(step, join(TOOLS, 'training-venv/bin/python'), [
        'training/prepare_base_model.py',
        '--out',
        BASE_MODEL,
      ]),
  },
]

/** A failure that the person can mend: the message says how. */
class SetupError extends Error {}

try {
  await main(process.argv.slice(2))
} catch (error) {
  if (!(error instanceof SetupError)) throw error
  console.error(`\n${error.message}\n`)
  process.exitCode = 1
}

async function main(args) {
  const chosen = chosenSteps(args)
  let due = chosen.filter(isDue)
  if (due.length === 0) return
  checkMachine()
  await withLock(async () => {
    due = chosen.filter(isDue) // another set-up may have done some meanwhile
    if (due.length === 0) return
    const python = due.some(step => step.python) ? findPython() : undefined
    checkDisk(due)
    announce(due)
    for (const step of due) await perform(step, python)
    console.log('')
  })
}

/** The steps named by `--only`, with those that they need; all without it. */
function chosenSteps(args) {
  if (args.length === 0) return STEPS
  const names = args[0] === '--only' && args.length === 2 ? args[1].split(',') : []
  const known = STEPS.map(step => step.name)
  if (names.length === 0 || names.some(name => !known.includes(name))) {
    throw new SetupError(`Usage: node local/setup.mjs [--only ${known.join(',')}]`)
  }
  const wanted = new Set(names)
  for (const step of STEPS) if (wanted.has(step.name) && step.needs) wanted.add(step.needs)
  return STEPS.filter(step => wanted.has(step.name))
}

function isDue(step) {
  if (!existsSync(step.product)) return true
  if (readStamp(step) === digestOf(step)) return false
  return !step.isDone?.()
}

async function perform(step, python) {
  const stamp = stampFile(step)
  rmSync(stamp, { force: true })
  const progress = showProgress(step.title)
  try {
    await step.run(step, python)
    if (!existsSync(step.product)) throw new SetupError(`${step.title}: ${step.product} was not made`)
  } catch (error) {
    progress.end(false)
    throw error
  }
  mkdirSync(dirname(stamp), { recursive: true })
  writeFileSync(`${stamp}.new`, digestOf(step))
  renameSync(`${stamp}.new`, stamp)
  progress.end(true)
}

function stampFile(step) {
  return join(TOOLS, 'stamps', step.name)
}

function readStamp(step) {
  try {
    return readFileSync(stampFile(step), 'utf8')
  } catch {
    return undefined
  }
}

function digestOf(step) {
  const hash = createHash('sha256')
  for (const input of step.inputs) {
    const file = join(ROOT, input)
    if (!existsSync(file)) throw new SetupError(`${input} is missing: is this checkout complete?`)
    hash.update(`${input}\0`).update(readFileSync(file)).update('\0')
  }
  return hash.digest('hex')
}

// ------------------------------------------------------------------------------------------- what to check

function checkMachine() {
  if (process.platform === 'win32') {
    throw new SetupError(
      'Windows is not supported by itself: run this in WSL (https://learn.microsoft.com/windows/wsl).',
    )
  }
  if (Number(process.versions.node.split('.')[0]) < NEEDED_NODE) {
    throw new SetupError(
      `Node ${NEEDED_NODE} or newer is needed; this is ${process.version}. See https://nodejs.org`,
    )
  }
}

function findPython() {
  const seen = []
  for (const name of PYTHON_NAMES) {
    const found = spawnSync(name, ['-c', 'import sys; print(*sys.version_info[:2])'], { encoding: 'utf8' })
    if (found.status !== 0) continue
    const [major, minor] = found.stdout.trim().split(' ').map(Number)
    seen.push(`${name} ${major}.${minor}`)
    if (major !== NEEDED_PYTHON[0] || minor < NEEDED_PYTHON[1]) continue
    if (spawnSync(name, ['-c', 'import venv, ensurepip']).status === 0) return name
    seen.push(`${name} has no venv module`)
  }
  throw new SetupError(`Python ${NEEDED_PYTHON.join('.')} or newer with venv is needed.
Found: ${seen.length === 0 ? 'no Python on the PATH' : seen.join(', ')}.
Install it and start again:
  Debian, Ubuntu:  sudo apt-get install python3 python3-venv
  Fedora:          sudo dnf install python3
  macOS:           brew install python`)
}

function checkDisk(due) {
  mkdirSync(TOOLS, { recursive: true })
  const { bavail, bsize } = statfsSync(TOOLS)
  const freeMB = Math.floor((bavail * bsize) / 1e6)
  const neededMB = Math.ceil(totalMB(due) * DISK_FACTOR)
  if (freeMB < neededMB) {
    throw new SetupError(`Not enough disk: ${neededMB} MB are needed in ${ROOT}, ${freeMB} MB are free.
Make room, or move this checkout to a larger disk, and start again.`)
  }
}

function announce(due) {
  console.log(`\nSetting up, once: about ${totalMB(due)} MB will be installed in this folder.`)
  for (const { title, sizeMB } of due) console.log(`  ${String(sizeMB).padStart(5)} MB  ${title}`)
  console.log('')
}

function totalMB(steps) {
  return steps.reduce((sum, step) => sum + step.sizeMB, 0)
}

// ---------------------------------------------------------------------------------------------- the steps

/** True when every package of the lock that is not optional is installed in its version. */
function packagesMatchLock() {
  try {
    const locked = JSON.parse(readFileSync(join(ROOT, 'package-lock.json'), 'utf8')).packages
    const installed = JSON.parse(readFileSync(join(ROOT, 'node_modules/.package-lock.json'), 'utf8')).packages
    return Object.entries(locked).every(
      ([path, { version, optional, devOptional }]) =>
        path === '' || optional || devOptional || installed[path]?.version === version,
    )
  } catch {
    return false // npm writes its own record last
  }
}

async function installPackages(step) {
  // The Node of this very folder is about to be replaced: npm must run on the machine's own.
  const env = { ...process.env, PATH: pathWithoutPackages() }
  if (spawnSync('npm', ['--version'], { env }).status !== 0) {
    throw new SetupError('npm is needed and is not on the PATH. It comes with Node: https://nodejs.org')
  }
  // Not `npm ci`: it refuses a lock that lacks optional packages of other systems, as one has that was written
  // where the registry does not carry them. `install` takes the locked versions and skips what it cannot get.
  rmSync(join(ROOT, 'node_modules'), { recursive: true, force: true }) // half-unpacked packages may be there
  await run(step, 'npm', ['install', '--no-save', '--no-audit', '--no-fund'], env)
  if (!hasNode24()) await run(step, 'npm', ['rebuild', 'node', '--foreground-scripts'], env)
  if (!hasNode24()) {
    throw new SetupError(`npm installed the packages but not Node 24 (node_modules/.bin/node).
Its install script did not run: is \`ignore-scripts\` set? Try: npm config delete ignore-scripts`)
  }
}

function pathWithoutPackages() {
  const own = join(ROOT, 'node_modules')
  return (process.env.PATH ?? '')
    .split(delimiter)
    .filter(entry => !entry.startsWith(own))
    .join(delimiter)
}

function hasNode24() {
  const node = spawnSync(join(ROOT, 'node_modules/.bin/node'), ['--version'], { encoding: 'utf8' })
  return node.status === 0 && node.stdout.startsWith('v24.')
}

async function createEnvironment(step, python, name) {
  const venv = join(TOOLS, name)
  rmSync(venv, { recursive: true, force: true }) // half of one may be there
  await run(step, python, ['-m', 'venv', venv])
  return venv
}

function pip(step, venv, args) {
  const quiet = ['--disable-pip-version-check', '--no-input', '--progress-bar', 'off']
  return run(step, join(venv, 'bin/python'), ['-m', 'pip', 'install', ...quiet, ...args])
}

/**
 * Runs a program in a group of its own with its output in the step's log. When this process dies in any way,
 * the pipe to the guard closes and the guard ends the group: nothing goes on writing where the next set-up
 * begins again.
 */
function run(step, command, args, env = process.env) {
  mkdirSync(LOGS, { recursive: true })
  const logFile = join(LOGS, `setup-${step.name}.log`)
  const log = openSync(logFile, 'a')
  return new Promise((resolveRun, reject) => {
    const child = spawn(command, args, { cwd: ROOT, env, stdio: ['ignore', log, log], detached: true })
    closeSync(log)
    child.once('error', error =>
      reject(new SetupError(`${step.title}: ${command} could not be started: ${error.message}`)),
    )
    if (child.pid === undefined) return
    const guard = spawn(
      '/bin/sh',
      ['-c', 'IFS= read -r ended || kill -s KILL -- "-$1"', 'guard', String(child.pid)],
      {
        stdio: ['pipe', 'ignore', 'ignore'],
        detached: true,
      },
    )
    guard.stdin.on('error', () => {})
    guard.unref()
    child.once('exit', (code, signal) => {
      guard.stdin.end('ended\n')
      if (code === 0) return resolveRun()
      const tail = readFileSync(logFile, 'utf8').trimEnd().split('\n').slice(-LOG_TAIL_LINES).join('\n')
      reject(
        new SetupError(`${step.title}: \`${[command, ...args].join(' ')}\` failed (${code ?? signal}). Its output ends:

${tail}

All of it: ${logFile}
Mend what it says and start again: what is done is not done again.`),
      )
    })
  })
}

/** One set-up at a time in a checkout: a second one waits. A lock whose owner is gone is taken over. */
async function withLock(use) {
  mkdirSync(TOOLS, { recursive: true })
  let told = false
  for (;;) {
    try {
      writeFileSync(LOCK, `${process.pid} ${startTicks(process.pid)}`, { flag: 'wx' })
      break
    } catch (error) {
      if (error.code !== 'EEXIST') throw error
    }
    const [owner, ticks] = readIfThere(LOCK).split(' ')
    if (ticks !== undefined && startTicks(Number(owner)) !== ticks) rmSync(LOCK, { force: true })
    else if (!told) {
      told = true
      console.log(`Another set-up of this folder is running (process ${owner}); waiting for it.`)
    }
    await new Promise(done => setTimeout(done, 200))
  }
  process.once('exit', () => rmSync(LOCK, { force: true }))
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.once(signal, () => process.exit(1))
  await use()
}

function readIfThere(file) {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    return ''
  }
}

/** Empty when there is no such process; else what tells it from a later one with its number (on Linux). */
function startTicks(pid) {
  try {
    process.kill(pid, 0)
  } catch (error) {
    if (error.code !== 'EPERM') return ''
  }
  // proc(5): the name, second of the fields, may hold spaces and parentheses.
  const stat = readIfThere(`/proc/${pid}/stat`)
  return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? 'running'
}

/** A line that counts seconds on a terminal; elsewhere one line at the beginning and one at the end. */
function showProgress(title) {
  const live = process.stdout.isTTY
  const started = performance.now()
  if (!live) console.log(`  ${title} ...`)
  const draw = () => process.stdout.write(`\r  ${title} ... ${seconds(started)} `)
  const timer = live ? setInterval(draw, 1_000) : undefined
  if (live) draw()
  return {
    end(ok) {
      clearInterval(timer)
      console.log(`${live ? '\r' : ''}  ${ok ? 'done' : 'FAILED'}: ${title} (${seconds(started)})   `)
    },
  }
}

function seconds(started) {
  return `${Math.round((performance.now() - started) / 1_000)} s`
}
