import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { availableParallelism, cpus, loadavg, release, tmpdir, totalmem, type } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { benchBallots } from './ballots.ts'
import { benchDeploy } from './deploy.ts'
import { benchGateway } from './gateway.ts'
import type { Row } from './measure.ts'
import { REPOSITORY, type Stage, startStage } from './stage.ts'
import { tableOf } from './table.ts'
import { benchTraining } from './training.ts'

/**
 * `npm run bench`: what our own code costs, each figure beside its comparison in the same run. Starts what it needs
 * in a temporary folder and stops it. Figures go to standard output, progress to standard error.
 */

const HELP = `npm run bench -- [options]
  --only NAMES  of deploy,ballots,gateway,training; all of them unless said
  --wait S      wait up to S seconds before each bench for other work to end (default 0)
  --json        the figures as one JSON document`
/** How long the machine is watched before a bench, and what others may take of it. */
const WATCH_MS = 2_000
const QUIET_CORES = 0.3

type Tools = { folder: string; stage: () => Promise<Stage>; note: (line: string) => void }
const BENCHES: Record<string, (tools: Tools) => Promise<Row[]>> = {
  deploy: ({ folder, note }) => benchDeploy(folder, note),
  ballots: async ({ stage }) => benchBallots(await stage()),
  gateway: async ({ stage, note }) => benchGateway(await stage(), note),
  training: async ({ stage, note }) => benchTraining(await stage(), note),
}

type Outcome = {
  readonly name: string
  readonly seconds: number
  /** Cores at work while this bench waited, just before and just after it. */
  readonly othersUsedCores: readonly [before: number, after: number]
  readonly notes: readonly string[]
  readonly rows: readonly Row[]
  /** Why there are no rows. */
  readonly error?: string
}

const { values } = parseArgs({
  options: {
    only: { type: 'string' },
    wait: { type: 'string', default: '0' },
    json: { type: 'boolean' },
    help: { type: 'boolean' },
  },
})
const chosen = values.only?.split(',') ?? Object.keys(BENCHES)
const unknown = chosen.find(name => BENCHES[name] === undefined)
if (values.help || unknown !== undefined) {
  console.log(unknown === undefined ? HELP : `There is no bench ${unknown}.\n${HELP}`)
  process.exit(unknown === undefined ? 0 : 1)
}

const folder = mkdtempSync(join(tmpdir(), 'openledger-bench-'))
let started: Promise<Stage> | undefined
const stage = () => {
  started ??= startStage(join(folder, 'stack'), progress)
  return started
}
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
  process.once(signal, () => void end().then(() => process.exit(1)))

let failed = false
try {
  const machine = machineFacts()
  const outcomes: Outcome[] = []
  for (const name of chosen) outcomes.push(await measured(name))
  console.log(
    values.json ? JSON.stringify({ machine, benches: outcomes }, null, 2) : report(machine, outcomes),
  )
} catch (error) {
  failed = true
  console.error(error)
} finally {
  await end()
}
// Sockets of SDK clients may linger; everything that was started is stopped by now.
process.exit(failed ? 1 : 0)

/** One bench; its failure does not take the figures of the others away. */
async function measured(name: string): Promise<Outcome> {
  const notes: string[] = []
  const tools = { folder, stage, note: (line: string) => void notes.push(line) }
  if (name !== 'deploy') await stage()
  const before = await quietOrPatienceEnds(Number(values.wait))
  progress(`${name} (${before.toFixed(1)} cores are busy with other work)`)
  const startedAt = performance.now()
  const outcome = await BENCHES[name]!(tools).then(
    rows => ({ rows }),
    (error: Error) => ({ rows: [], error: error.message }),
  )
  const seconds = (performance.now() - startedAt) / 1_000
  return { name, seconds, othersUsedCores: [before, await coresInUse()], notes, ...outcome }
}

async function end() {
  const running = await started?.catch(() => undefined)
  await running?.stack.stop()
  rmSync(folder, { recursive: true, force: true })
}

/** Watches until other work is little, at most this long; answers with what it saw last. */
async function quietOrPatienceEnds(seconds: number): Promise<number> {
  const deadline = performance.now() + seconds * 1_000
  for (;;) {
    const cores = await coresInUse()
    if (cores <= QUIET_CORES || performance.now() >= deadline) return cores
  }
}

/** Cores that were at work while this process waited. */
async function coresInUse(): Promise<number> {
  const before = workedMs()
  await sleep(WATCH_MS)
  return (workedMs() - before) / WATCH_MS
}

function workedMs(): number {
  return cpus().reduce((sum, { times }) => sum + times.user + times.nice + times.sys + times.irq, 0)
}

function machineFacts() {
  const { dependencies } = JSON.parse(readFileSync(join(REPOSITORY, 'package.json'), 'utf8')) as {
    dependencies: Record<string, string>
  }
  const pinned = (file: string, name: string) =>
    new RegExp(`^${name}==([^\\s;]+)`, 'm').exec(readFileSync(join(REPOSITORY, file), 'utf8'))?.[1] ?? '?'
  return {
    cores: availableParallelism(),
    processor: cpus()[0]?.model ?? 'unknown',
    memoryGb: Math.round(totalmem() / 1e9),
    system: `${type()} ${release()}`,
    loadAtStart: loadavg()[0]!,
    versions: {
      node: process.versions.node,
      ethers: dependencies.ethers!,
      'aws-cdk': dependencies['aws-cdk']!,
      ministack: pinned('local/emulator/requirements.txt', 'ministack'),
      torch: pinned('training/requirements-torch.txt', 'torch'),
      transformers: pinned('training/requirements.txt', 'transformers'),
    },
  }
}

function report(machine: ReturnType<typeof machineFacts>, outcomes: readonly Outcome[]): string {
  const versions = Object.entries(machine.versions).map(([name, version]) => `${name} ${version}`)
  const facts = [
    `${machine.cores} cores (${machine.processor}), ${machine.memoryGb} GB, ${machine.system}`,
    `load ${machine.loadAtStart.toFixed(2)} at start`,
    versions.join(', '),
  ]
  const remarks = outcomes.flatMap(({ name, seconds, othersUsedCores, notes, error }) => {
    const [before, after] = othersUsedCores.map(cores => cores.toFixed(1))
    const advice = Math.max(...othersUsedCores) > QUIET_CORES ? ': not a quiet machine, measure again' : ''
    return [
      `${name}: ${Math.round(seconds)} s; other work kept ${before} cores busy before it, ${after} after it${advice}`,
      ...notes.map(note => `  ${note}`),
      ...(error === undefined ? [] : [`  FAILED: ${error}`]),
    ]
  })
  const legend = 'A figure is the median (5th to 95th percentile) of n samples.'
  return [facts.join('\n'), tableOf(outcomes.flatMap(({ rows }) => rows)), legend, remarks.join('\n')].join(
    '\n\n',
  )
}

function progress(step: string) {
  console.error(`${Math.round(performance.now() / 1_000)} s  ${step}`)
}
