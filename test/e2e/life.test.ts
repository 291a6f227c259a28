import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import chromium from '@sparticuz/chromium'
import { chromium as playwright } from 'playwright-core'
import { createClient } from '../../api/client.ts'
import { loadProfile, type Profile } from '../../cli/profile.ts'
import type { Report } from '../../examples/iam-assistant/play/stage.ts'
import { alignByShuffledPreferences } from './shuffled-preferences.ts'

/**
 * `npm start -- --once` as a user runs it, with a tiny random model: every step of the life, on a real stack. Its
 * validators prefer what such a model can learn. Then the next start, which finds everything where it was.
 */

const REPOSITORY = resolve(import.meta.dirname, '../..')
const PYTHON = join(REPOSITORY, '.local/tools/training-venv/bin/python')
/** Contributions come after the first vote. */
const PAGE_TIMEOUT_MS = 400_000
const place = mkdtempSync(join(tmpdir(), 'openledger-e2e-'))
/** In a folder that says of itself what a checkout says, where the state lies by default. */
const home = join(place, '.local')
let exitCode: number | null
let afterInterrupt: { exitCode: number | null; running: string[] }
let output: string
let report: Report
let page: string | PageSeen
let resumed: Start | undefined

beforeAll(async () => {
  writeFileSync(join(place, 'package.json'), '{ "type": "module" }\n')
  execFileSync(PYTHON, [
    join(REPOSITORY, 'training/tiny_model.py'),
    '--out',
    join(home, 'model'),
    '--seed',
    '1',
  ])
  const killed = startCommand('--once')
  await told(killed, /(Deploying \d+ stacks)/)
  killed.child.kill('SIGKILL')
  await killed.exited
  const interrupted = startCommand('--once')
  await told(interrupted, /(Deploying \d+ stacks)/)
  interrupted.child.kill('SIGINT')
  afterInterrupt = { exitCode: await interrupted.exited, running: readdirSync(join(home, 'run')) }
  const start = startCommand('--once')
  page = await Promise.race([
    lookAtPage(start).catch((error: unknown) => String(error)),
    start.exited.then(() => 'the play had ended'),
  ])
  exitCode = await start.exited
  output = start.output()
  const file = join(home, 'lifecycle.json')
  if (!existsSync(file)) throw new Error(`There is no report:\n${output.slice(-4_000)}`)
  report = JSON.parse(readFileSync(file, 'utf8')) as Report
})

afterAll(async () => {
  resumed?.child.kill('SIGINT')
  await resumed?.exited
  rmSync(place, { recursive: true, force: true })
})

type Start = { child: ChildProcess; exited: Promise<number | null>; output(): string }

function startCommand(...options: string[]): Start {
  const args = ['local/start.ts', '--tiny', '--home', home, '--model', join(home, 'model'), ...options]
  const child = spawn(process.execPath, [...args, '--recipe', 'test/e2e/tiny-recipe.json'], {
    cwd: REPOSITORY,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let text = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (chunk: Buffer) => {
      text += chunk.toString()
    })
  }
  return { child, exited: new Promise(done => child.on('exit', done)), output: () => text }
}

/** What a pattern finds in the output, as soon as it is there. @throws Error when the command ends before */
async function told(start: Start, pattern: RegExp): Promise<string> {
  let ended = false
  void start.exited.then(() => {
    ended = true
  })
  for (;;) {
    const found = pattern.exec(start.output())?.[1]
    if (found !== undefined) return found
    if (ended) throw new Error(`It ended without ${pattern}:\n${start.output().slice(-4_000)}`)
    await new Promise(wake => setTimeout(wake, 200))
  }
}

type PageSeen = {
  title: string
  votes: string | null
  contributions: string | null
  errors: string[]
  overflows: boolean
}

/** What a person sees on the page while the play goes on, in headless Chromium on a phone's width. */
async function lookAtPage(start: Start): Promise<PageSeen> {
  const address = await told(start, / (http:\S+\/) .*life of this model/i)
  const browser = await playwright.launch({
    executablePath: await chromium.executablePath(),
    args: [...chromium.args, '--no-sandbox'],
    headless: true,
  })
  try {
    const tab = await browser.newPage({ viewport: { width: 390, height: 844 } })
    const errors: string[] = []
    tab.on('console', message => {
      if (message.type() === 'error') errors.push(message.text())
    })
    tab.on('pageerror', error => errors.push(error.message))
    await tab.goto(address)
    await tab.waitForSelector('#uploads tbody tr', { timeout: PAGE_TIMEOUT_MS })
    return {
      title: await tab.title(),
      votes: await tab.textContent('#votes'),
      contributions: await tab.textContent('#uploads'),
      overflows: await tab.evaluate(
        'document.documentElement.scrollWidth > document.documentElement.clientWidth',
      ),
      errors,
    }
  } finally {
    await browser.close()
  }
}

test('the page shows the vote and the contributions as they happen', () => {
  if (typeof page === 'string') throw new Error(page)
  expect(page.title).toBe('The life of this model')
  expect(page.votes).toContain('Open a Datanet for naming IAM actions')
  expect(page.votes).toContain('executed')
  expect(page.contributions).toContain('AWS IAM actions')
  expect({ errors: page.errors, overflows: page.overflows }).toEqual({ errors: [], overflows: false })
})

test('every step of the life held, and the command says so', () => {
  const failed = report.steps.filter(step => !step.ok)
  expect({ failed, tail: failed.length > 0 ? output.slice(-3_000) : '' }).toEqual({ failed: [], tail: '' })
  expect(exitCode).toBe(0)
  expect(report.ok).toBe(true)
})

test('what must be refused was refused with its documented error', () => {
  expect(report.refusals.filter(refusal => !refusal.ok)).toEqual([])
  expect(report.refusals.map(refusal => refusal.id).sort()).toEqual(
    expect.arrayContaining([
      'ballot-with-forged-signature',
      'completion-without-key',
      'execution-without-warrant',
      'second-use-of-a-warrant',
      'upload-of-other-bytes',
    ]),
  )
})

test('the copier got nothing in, the honest ones everything', () => {
  const contribute = report.steps.find(step => step.id === 'contribute')
  const submissions = contribute?.figures.submissions as Record<
    string,
    { state: string; acceptedRecords: number }
  >
  expect(submissions['honest-1']).toMatchObject({ state: 'accepted', acceptedRecords: 16 })
  expect(submissions.copier).toMatchObject({ state: 'rejected', acceptedRecords: 0 })
})

test('the scores are of the fixed number of sealed items', () => {
  for (const name of ['base', 'fewShot', 'tuned']) expect(report.scores[name]).toMatchObject({ n: 200 })
})

test('the alignment ends by its gates, and what they leave is served', () => {
  const figures = (id: string) => report.steps.find(step => step.id === id)?.figures ?? {}
  const aligned = figures('align')
  expect(aligned.reason).toMatch(
    aligned.promoted === true ? /^the second round prefers the candidate$/ : /^not-aligned: /,
  )
  expect(figures('release').version).toBe(
    aligned.promoted === true ? aligned.version : figures('fine-tune').version,
  )
})

test('Ctrl-C in the middle of a deploy stops everything', () => {
  expect(afterInterrupt).toEqual({ exitCode: 1, running: [] })
})

test('nothing is left running', () => {
  expect(readdirSync(join(home, 'run'))).toEqual([])
})

describe('the next start', () => {
  let profile: Profile

  beforeAll(async () => {
    resumed = startCommand()
    await told(resumed, /(Up until Ctrl-C)/)
    profile = loadProfile('tiny', join(home, 'state/profile.json'))
  })

  test('finds everything where it was and plays nothing again', async () => {
    expect(resumed?.output()).not.toContain('Holders wrap OPEN')
    const client = createClient({ baseUrl: profile.baseUrl, apiKey: profile.apiKey ?? '' })
    const { data } = await client.call('listModels')
    const released = report.steps.find(step => step.id === 'release')?.figures.version
    expect(data).toMatchObject([{ id: 'iam-assistant', version: released }])
    const { items } = await client.call('listProposals')
    expect(items.map(({ state }) => state)).toEqual(['executed', 'executed'])
    expect((await client.call('getKey')).usage.requests).toBeGreaterThan(0)
  })

  test('shuffled preferences teach nothing: the parent stays, and its public name stays where it is', async () => {
    const outcome = await alignByShuffledPreferences(profile, report)
    expect(outcome).toMatchObject({ promoted: false, servedVersion: outcome.parent })
    expect(outcome.reason).toMatch(/^not-aligned: /)
    const client = createClient({ baseUrl: profile.baseUrl })
    const { data } = await client.call('listModels')
    expect(data).toMatchObject([
      { version: report.steps.find(step => step.id === 'release')?.figures.version },
    ])
  })

  test('works after the one before was killed with everything that it had started left running', async () => {
    resumed?.child.kill('SIGKILL')
    await resumed?.exited
    expect(readdirSync(join(home, 'run'))).not.toEqual([])
    resumed = startCommand()
    await told(resumed, /(Up until Ctrl-C)/)
    const client = createClient({ baseUrl: loadProfile('tiny', join(home, 'state/profile.json')).baseUrl })
    expect((await client.call('listProposals')).items).toHaveLength(3)
    resumed.child.kill('SIGINT')
    expect(await resumed.exited).toBe(0)
    expect(readdirSync(join(home, 'run'))).toEqual([])
  })
})
