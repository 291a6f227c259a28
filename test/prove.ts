import { spawn } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'

/**
 * `npm run prove`: the property and chaos tests at full counts. The same files run in `npm test` with small
 * ones; fast-check prints the seed of a failure, and PROVE_SEED repeats it.
 */
const ROOT = resolve(import.meta.dirname, '..')
const RUNS = process.env.PROVE_RUNS ?? '1000'
const seed = process.env.PROVE_SEED ?? String(Math.floor(Date.now() / 1_000))
const files = readdirSync(join(ROOT, 'test'), { recursive: true, encoding: 'utf8' }).filter(
  file =>
    file.endsWith('.test.ts') &&
    !file.startsWith('e2e') &&
    readFileSync(join(ROOT, 'test', file), 'utf8').includes('support/prove-runs.ts'),
)

console.log(`prove: ${files.length} files, ${RUNS} runs a property, seed ${seed}`)
const child = spawn(
  process.execPath,
  [
    '--experimental-vm-modules',
    '--disable-warning=ExperimentalWarning',
    join(ROOT, 'node_modules/jest/bin/jest.js'),
    '--config',
    'jest.config.mjs',
    '--verbose',
    '--testTimeout=1800000',
    ...files.map(file => `test/${file}`),
  ],
  {
    cwd: ROOT,
    stdio: ['ignore', 'inherit', 'pipe'],
    env: { ...process.env, PROVE_RUNS: RUNS, PROVE_SEED: seed },
  },
)
let tail = ''
child.stderr.on('data', (chunk: Buffer) => {
  process.stderr.write(chunk)
  tail = (tail + chunk.toString()).slice(-4_000)
})
child.on('exit', code => {
  const count = (word: string) => Number(new RegExp(`Tests:.*?(\\d+) ${word}`).exec(tail)?.[1] ?? 0)
  console.log(`${count('passed')} passed, ${count('failed')} failed`)
  process.exitCode = code ?? 1
})
