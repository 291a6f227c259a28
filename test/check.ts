import { spawn } from 'node:child_process'
import { join, resolve } from 'node:path'

/**
 * `npm run check`: everything that can be said without running the product. Independent checks run side by
 * side; the output of each is kept together and shown whole.
 */

const ROOT = resolve(import.meta.dirname, '..')
const bin = (name: string) => join(ROOT, 'node_modules/.bin', name)
const RUFF = join(ROOT, '.local/tools/training-venv/bin/ruff')

const checks: [name: string, command: string, args: string[]][] = [
  ['Biome (lint, format, import rules)', bin('biome'), ['ci', '.']],
  ['TypeScript', bin('tsc'), ['--noEmit', '-p', '.']],
  ['knip (unused files, exports, dependencies)', bin('knip'), []],
  ['ruff (lint)', RUFF, ['check', 'training', 'local/emulator']],
  ['ruff (format)', RUFF, ['format', '--check', 'training', 'local/emulator']],
  ['synth of every stage, cdk-nag, state machines', process.execPath, ['test/check-synth.ts']],
]

const results = await Promise.all(checks.map(check))
const failed = results.filter(result => !result.ok)
for (const { name, ok, seconds, output } of [...results.filter(result => result.ok), ...failed]) {
  console.log(`${ok ? 'ok  ' : 'FAIL'} ${name} (${seconds.toFixed(1)} s)`)
  if (!ok) console.log(output)
}
console.log(failed.length === 0 ? 'check: clean' : `check: ${failed.length} of ${checks.length} failed`)
process.exitCode = failed.length === 0 ? 0 : 1

function check([name, command, args]: (typeof checks)[number]) {
  const startedAt = Date.now()
  return new Promise<{ name: string; ok: boolean; seconds: number; output: string }>(done => {
    const child = spawn(command, args, { cwd: ROOT, stdio: ['ignore', 'pipe', 'pipe'] })
    let output = ''
    for (const stream of [child.stdout, child.stderr]) stream.on('data', chunk => (output += chunk))
    const end = (ok: boolean) => done({ name, ok, seconds: (Date.now() - startedAt) / 1_000, output })
    child.on('error', error => {
      output += error.message
      end(false)
    })
    child.on('exit', code => end(code === 0))
  })
}
