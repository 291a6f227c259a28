import { execFile } from 'node:child_process'
import { statfs } from 'node:fs/promises'
import { createServer } from 'node:net'
import { promisify } from 'node:util'
import type { Look } from './finding.ts'

/** What `npm start` and the training scripts need of this machine. */

const NEEDED_NODE = 24
const NEEDED_PYTHON = [3, 11] as const
/** Environments, the base model and one run's checkpoints. */
const NEEDED_GB = 6
const run = promisify(execFile)

export function machineLooks(folder: string): Look[] {
  return [
    {
      name: 'Node',
      look: node,
      fix: 'run the command through npm: npx openledger, after npm start or npm test',
    },
    {
      name: 'Python',
      look: python,
      fix: `install Python ${NEEDED_PYTHON.join('.')} or newer with venv (Debian: apt install python3-venv)`,
    },
    {
      name: 'disk',
      look: () => disk(folder),
      fix: `free ${NEEDED_GB} GB on the disk of this folder`,
    },
    {
      name: 'ports',
      look: port,
      fix: 'let this user listen on 127.0.0.1 (a firewall, a sandbox or a limit on open files forbids it)',
    },
  ]
}

async function node(): Promise<string> {
  const major = Number(process.versions.node.split('.')[0])
  if (major < NEEDED_NODE) throw new Error(`Node ${process.versions.node}; ${NEEDED_NODE} is needed`)
  return process.versions.node
}

async function python(): Promise<string> {
  const script = 'import sys, venv, ensurepip; print("%d.%d.%d" % sys.version_info[:3])'
  const { stdout } = await run('python3', ['-c', script]).catch((error: Error & { stderr?: string }) => {
    throw new Error(error.stderr?.trim().split('\n').at(-1) || error.message)
  })
  const version = stdout.trim()
  const [major = 0, minor = 0] = version.split('.').map(Number)
  const [neededMajor, neededMinor] = NEEDED_PYTHON
  if (major < neededMajor || (major === neededMajor && minor < neededMinor))
    throw new Error(`Python ${version}`)
  return version
}

async function disk(folder: string): Promise<string> {
  const { bavail, bsize } = await statfs(folder)
  const free = Math.floor((bavail * bsize) / 1e9)
  if (free < NEEDED_GB) throw new Error(`${free} GB free`)
  return `${free} GB free`
}

function port(): Promise<string> {
  return new Promise((done, fail) => {
    const server = createServer()
    server.once('error', fail)
    server.listen(0, '127.0.0.1', () => server.close(() => done('127.0.0.1 can be listened on')))
  })
}
