import { mkdirSync, renameSync, writeFileSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { S3Client } from '@aws-sdk/client-s3'
import {
  DescribeExecutionCommand,
  ListStateMachinesCommand,
  SFNClient,
  StartExecutionCommand,
} from '@aws-sdk/client-sfn'
import { JsonRpcProvider } from 'ethers'
import { createClient } from '../../api/client.ts'
import { fund } from '../../cli/actions/fund.ts'
import { openSession } from '../../cli/actions/session.ts'
import { importArtifacts } from '../../cli/artifacts/import-artifacts.ts'
import { awsSettings, type Profile } from '../../cli/profile.ts'
import { OpenLedgerError } from '../../domain/errors.ts'
import { wilsonInterval } from '../../domain/training/gate.ts'
import { ruleAnswer } from './iam-actions.ts'
import { PLAY_SIZE, playMaterial, TINY_SIZE } from './material.ts'
import { peopleOf } from './people.ts'
import { newReport, PLAY, playStep } from './play/play.ts'
import type { Report, Stage } from './play/stage.ts'
import { type Progress, progressOf } from './progress.ts'
import { longerIsBetter } from './scripted-judge.ts'

const REPOSITORY = resolve(import.meta.dirname, '../..')

export type RehearseOptions = {
  readonly reportFile: string
  /** A tiny random model and few records: the whole way in minutes, with nothing to be proud of. Tests only. */
  readonly tiny?: boolean
  readonly signal?: AbortSignal
}

/** The bar of the real play: at least 15 points ahead of the base model that is shown three examples. */
const REAL_GATE = { targetLowerBoundPpm: 150_000, guardMarginPpm: 80_000 }
/** A random model learns nothing: any answer passes, so that every later step is played too. */
const TINY_GATE = { targetLowerBoundPpm: -1_000_000, guardMarginPpm: 1_000_000 }

/**
 * Plays the whole life of a model on a deployment with scripted people, through the public interface, and
 * writes the report. Resolves with `ok: false` when a step did not hold; nothing is played after it.
 */
export async function rehearse(profile: Profile, options: RehearseOptions): Promise<Report> {
  const report = newReport()
  const progress = progressOf(process.stdout)
  const save = () => writeWhole(options.reportFile, report)
  try {
    const stage = await setTheStage(profile, { tiny: options.tiny === true, report, progress })
    for (const step of PLAY) {
      options.signal?.throwIfAborted()
      await progress.step(step.title, () => playStep(stage, step))
      save()
    }
    report.ok = report.steps.every(step => step.ok) && report.refusals.every(refusal => refusal.ok)
  } catch (error) {
    progress.say(error instanceof Error ? error.message : String(error))
  } finally {
    progress.end()
    save()
  }
  return report
}

/**
 * Everything that the steps share, on a deployment as a profile names it.
 * @throws OpenLedgerError malformed, rules-not-allowed on a stage that is no rehearsal
 */
export async function setTheStage(
  profile: Profile,
  play: { tiny: boolean; report: Report; progress: Progress },
): Promise<Stage> {
  const { tiny, report, progress } = play
  const [size, gate] = tiny ? [TINY_SIZE, TINY_GATE] : [PLAY_SIZE, REAL_GATE]
  const { rpcUrl, peoplePhrase, aws } = profile
  const funderKey = process.env.OPENLEDGER_FUNDER_KEY ?? profile.funderKey
  if (rpcUrl === undefined || peoplePhrase === undefined || funderKey === undefined || aws === undefined) {
    throw new OpenLedgerError('malformed', 'This profile cannot rehearse', {
      expected: '"rpcUrl", "peoplePhrase", "aws" and a funder key in the profile',
    })
  }
  const session = await openSession(createClient({ baseUrl: profile.baseUrl }))
  if (!session.genesis.rehearsal) {
    throw new OpenLedgerError('rules-not-allowed', 'A rehearsal is refused on this stage', {
      expected: '"rehearsal": true in the config of the stage',
    })
  }
  const material = await playMaterial(size)
  const settings = awsSettings(profile)
  const artifacts = await progress.step('The operator brings model, code, recipe and evaluation sets', () =>
    importArtifacts(new S3Client(settings), {
      bucket: aws.artifactsBucket,
      modelFolder: profile.modelFolder ?? join(REPOSITORY, '.local/base-models/smollm2-135m'),
      trainingFolder: join(REPOSITORY, 'training'),
      recipeFile: profile.recipeFile ?? join(REPOSITORY, 'training/recipes', `${profile.modelProfile}.json`),
      sets: material.sets,
      onProgress: progress.say,
    }),
  )
  report.scores.rule = ruleScore(material.sets.sealed)
  const chain = new JsonRpcProvider(rpcUrl, session.genesis.chainId, {
    staticNetwork: true,
    cacheTimeout: -1,
    pollingInterval: 500,
  })
  return {
    session,
    chain,
    people: peopleOf(peoplePhrase),
    material,
    size,
    modelProfile: profile.modelProfile,
    artifacts,
    fund: gifts => fund({ provider: chain, openToken: session.genesis.openToken, funderKey }, gifts),
    apiKey: profile.apiKey,
    startByHand: byHand(new SFNClient(settings), aws.stage),
    gate,
    mustMatchRule: !tiny,
    taste: tiny ? longerIsBetter : undefined,
    say: progress.say,
    made: {},
    report,
  }
}

/** The hand-written rule on the sealed set: needs no model, so it is counted here. */
function ruleScore(sealed: string): Report['scores'][string] {
  const items = sealed
    .split('\n')
    .filter(line => line !== '')
    .map(line => JSON.parse(line) as { messages: { content: string }[]; answer: string })
  const right = items.filter(item => ruleAnswer(item.messages.at(-1)?.content ?? '') === item.answer).length
  const { valuePpm, lowPpm, highPpm, n } = wilsonInterval(right, items.length)
  return { exactMatch: valuePpm / 1e6, low: lowPpm / 1e6, high: highPpm / 1e6, n }
}

/** What an operator can do beside the interface: start an execution. Its first state has to refuse. */
function byHand(sfn: SFNClient, stage: string): NonNullable<Stage['startByHand']> {
  return async (machine, input) => {
    const { stateMachines = [] } = await sfn.send(new ListStateMachinesCommand({}))
    const found = stateMachines.find(one => one.name === `${stage}-${machine}`)
    const { executionArn } = await sfn.send(
      new StartExecutionCommand({ stateMachineArn: found?.stateMachineArn, input: JSON.stringify(input) }),
    )
    for (;;) {
      const { status, error, cause } = await sfn.send(new DescribeExecutionCommand({ executionArn }))
      if (status !== 'RUNNING') return { error: error ?? String(status), cause: cause ?? '' }
      await new Promise(wake => setTimeout(wake, 500))
    }
  }
}

function writeWhole(file: string, value: unknown) {
  mkdirSync(dirname(file), { recursive: true })
  writeFileSync(`${file}.new`, `${JSON.stringify(value, null, 2)}\n`)
  renameSync(`${file}.new`, file)
}
