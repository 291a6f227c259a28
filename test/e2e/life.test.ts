import { execFileSync, spawn } from 'node:child_process'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import chromium from '@sparticuz/chromium'
import { chromium as playwright } from 'playwright-core'
import type { Report } from '../../examples/iam-assistant/play/stage.ts'

/** `npm start -- --once` as a user runs it, with a tiny random model: every step of the life, on a real stack. */

const REPOSITORY = resolve(import.meta.dirname, '../..')
const PYTHON = join(REPOSITORY, '.local/tools/training-venv/bin/python')
/** Contributions come after the first vote. */
const PAGE_TIMEOUT_MS = 400_000
const home = mkdtempSync(join(tmpdir(), 'openledger-e2e-'))
let exitCode: number | null
let output = ''
let report: Report
let page: string | PageSeen

beforeAll(async () => {
  const model = join(home, 'model')
  execFileSync(PYTHON, [join(REPOSITORY, 'training/tiny_model.py'), '--out', model, '--seed', '1'])
  const args = ['local/start.ts', '--once', '--tiny', '--home', home, '--model', model]
  const child = spawn(process.execPath, [...args, '--recipe', 'test/e2e/tiny-recipe.json'], {
    cwd: REPOSITORY,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (chunk: Buffer) => {
      output += chunk.toString()
    })
  }
  const exited = new Promise<number | null>(done => child.on('exit', done))
  page = await Promise.race([
    lookAtPage().catch((error: unknown) => String(error)),
    exited.then(() => 'the play had ended'),
  ])
  exitCode = await exited
  const file = join(home, 'lifecycle.json')
  if (!existsSync(file)) throw new Error(`There is no report:\n${output.slice(-4_000)}`)
  report = JSON.parse(readFileSync(file, 'utf8')) as Report
})

afterAll(() => rmSync(home, { recursive: true, force: true }))

type PageSeen = {
  title: string
  votes: string | null
  contributions: string | null
  errors: string[]
  overflows: boolean
}

/** What a person sees on the page while the play goes on, in headless Chromium on a phone's width. */
async function lookAtPage(): Promise<PageSeen> {
  let address: string | undefined
  while (address === undefined) {
    address = / (http:\S+\/) .*life of this model/i.exec(output)?.[1]
    await new Promise(wake => setTimeout(wake, 200))
  }
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

test('nothing is left running', () => {
  expect(readdirSync(join(home, 'run'))).toEqual([])
})
