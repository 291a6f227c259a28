import { spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'

/**
 * `npm test`: every suite one after the other, each with its own output, and one closing line over all. A suite
 * that dies without a report counts as one failure: silence is never a pass. `--only unit,python,e2e` chooses.
 */

const ROOT = resolve(import.meta.dirname, '..')
const JEST = join(ROOT, 'node_modules/jest/bin/jest.js')
const PYTHON = join(ROOT, '.local/tools/training-venv/bin/python')

type Count = { passed: number; failed: number }
type Suite = { name: string; run: (reports: string) => Promise<Count> }

const suites: Suite[] = [
  { name: 'unit', run: reports => jest(reports, 'unit', ['--config', 'jest.config.mjs', '--maxWorkers=2']) },
  { name: 'python', run: pytest },
  {
    name: 'e2e',
    run: reports => jest(reports, 'e2e', ['--config', 'test/e2e/jest.config.mjs', '--runInBand']),
  },
]

const chosen = option('--only')?.split(',') ?? suites.map(suite => suite.name)
const reports = mkdtempSync(join(tmpdir(), 'openledger-test-'))
const total: Count = { passed: 0, failed: 0 }
try {
  for (const suite of suites.filter(({ name }) => chosen.includes(name))) {
    const startedAt = Date.now()
    console.log(`\n== ${suite.name}`)
    const count = await suite.run(reports)
    total.passed += count.passed
    total.failed += count.failed
    console.log(
      `== ${suite.name}: ${count.passed} passed, ${count.failed} failed, ${Math.round((Date.now() - startedAt) / 1_000)} s`,
    )
  }
} finally {
  rmSync(reports, { recursive: true, force: true })
}
console.log(`\n${total.passed} passed, ${total.failed} failed`)
process.exitCode = total.failed > 0 || total.passed === 0 ? 1 : 0

async function jest(folder: string, name: string, args: string[]): Promise<Count> {
  const report = join(folder, `${name}.json`)
  const node = ['--experimental-vm-modules', '--disable-warning=ExperimentalWarning', JEST]
  const code = await run(process.execPath, [...node, ...args, '--json', `--outputFile=${report}`])
  return counted(code, () => {
    const { numPassedTests, numFailedTests, numFailedTestSuites } = JSON.parse(
      readFileSync(report, 'utf8'),
    ) as {
      numPassedTests: number
      numFailedTests: number
      numFailedTestSuites: number
    }
    return { passed: numPassedTests, failed: Math.max(numFailedTests, numFailedTestSuites) }
  })
}

async function pytest(folder: string): Promise<Count> {
  const report = join(folder, 'python.xml')
  const code = await run(PYTHON, ['-m', 'pytest', '-q', 'training/tests', `--junitxml=${report}`])
  return counted(code, () => {
    const [, attributes = ''] = /<testsuite ([^>]*)>/.exec(readFileSync(report, 'utf8')) ?? []
    const number = (name: string) => Number(new RegExp(`\\b${name}="(\\d+)"`).exec(attributes)?.[1] ?? 0)
    const failed = number('failures') + number('errors')
    return { passed: number('tests') - failed - number('skipped'), failed }
  })
}

function counted(code: number, read: () => Count): Count {
  try {
    const count = read()
    return code !== 0 && count.failed === 0 ? { ...count, failed: 1 } : count
  } catch {
    return { passed: 0, failed: 1 }
  }
}

function run(command: string, args: string[]): Promise<number> {
  return new Promise(done => {
    const child = spawn(command, args, { cwd: ROOT, stdio: 'inherit' })
    child.on('error', error => {
      console.error(`${command} did not start: ${error.message}`)
      done(1)
    })
    child.on('exit', code => done(code ?? 1))
  })
}

function option(name: string): string | undefined {
  const at = process.argv.indexOf(name)
  return at < 0 ? undefined : process.argv[at + 1]
}
