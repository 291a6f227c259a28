import type { Action } from '../../../api/schemas/governance.ts'
import type { RunView } from '../../../api/schemas/training.ts'
import { figuresOf, passProposal } from './pass-proposal.ts'
import { ALIAS, noteRefusal, PlayFailed, type Stage, until } from './stage.ts'

const FREEZE_SECONDS = 120
/** The longest that a fine-tune may take on two busy cores. */
const RUN_SECONDS = 3_600

/** Step 3: what was accepted is frozen, and a build on exactly that is voted. */
export async function voteBuild(stage: Stage): Promise<Record<string, unknown>> {
  const { session, artifacts, made, size } = stage
  const { datanetId } = made
  if (datanetId === undefined) throw new PlayFailed('There is no Datanet to build on')
  const dataset = await until('The dataset is frozen', FREEZE_SECONDS, () =>
    session.client.call('freezeDatanet', { params: { id: datanetId } }),
  )
  const { trainRoot, trainRecords, logSize } = dataset.manifest
  made.dataset = { id: dataset.id, trainRoot, trainRecords, logSize }
  stage.say(`Frozen: ${trainRecords} records to train on, root ${trainRoot.slice(0, 12)}…`)

  const sealedSet = artifacts.sets.sealed ?? ''
  const gate = { ...stage.gate, evaluationItems: size.evaluationItems }
  const action: Action = {
    type: 'build',
    budgetUsdMicro: 20_000_000,
    input: {
      fineTune: {
        datanetId,
        dataset: { datasetId: dataset.id, trainRoot, trainRecords, logSize },
        baseModel: artifacts.baseModel,
        modelProfile: stage.modelProfile,
        recipe: artifacts.recipe,
        sealedSet,
        shotSet: artifacts.sets.shots ?? '',
        gate,
      },
      align: {
        datanetId,
        modelProfile: stage.modelProfile,
        recipe: artifacts.recipe,
        promptSet: artifacts.sets.prompts ?? '',
        goldSet: artifacts.sets.gold ?? '',
        sealedSet,
        judgmentsPerPair: 3,
        roundSeconds: 600,
        targets: ['ethics'],
        gate,
      },
      release: { datanetId, alias: ALIAS },
    },
  }
  const proposal = await passProposal(stage, {
    title: 'Build the first IAM assistant',
    summary: 'Fine-tune on the frozen dataset, align it by judgments, and release it if the gates pass.',
    action,
  })
  made.buildProposalId = proposal.id
  const runId = proposal.outcome?.runId
  if (runId === undefined) throw new PlayFailed('The executed build names no run')
  made.fineTuneRunId = runId
  return { ...figuresOf(proposal), datasetId: dataset.id, trainRoot, trainRecords }
}

/** Step 4: the fine-tune that the vote started, to its gate. */
export async function followFineTune(stage: Stage): Promise<Record<string, unknown>> {
  const { made } = stage
  if (made.fineTuneRunId === undefined) throw new PlayFailed('No fine-tune was started')
  await tryWithoutWarrant(stage)
  const run = await followRun(stage, made.fineTuneRunId)
  const output = run.output as {
    version?: string
    scores?: Record<string, Ppm>
    gate?: Record<string, unknown>
    jobs?: unknown
  }
  for (const [name, score] of Object.entries(output.scores ?? {})) stage.report.scores[name] = shareOf(score)
  if (run.state !== 'succeeded')
    throw new PlayFailed(`The fine-tune ended ${run.state}: ${JSON.stringify(output.gate ?? run.failure)}`)
  if (output.version === undefined) throw new PlayFailed('The fine-tune registered no version')
  const { tuned, rule } = stage.report.scores
  if (stage.mustMatchRule && (tuned?.exactMatch ?? 0) < (rule?.exactMatch ?? 1))
    throw new PlayFailed(
      `The tuned model is right in ${tuned?.exactMatch}, the hand-written rule in ${rule?.exactMatch}`,
    )
  made.servedVersion = output.version
  const speeds = run.metrics.flatMap(point => point.tokensPerSecond ?? [])
  return {
    runId: run.id,
    version: output.version,
    gate: output.gate,
    jobs: output.jobs,
    tokensPerSecond:
      speeds.length === 0 ? null : Math.round(speeds.reduce((sum, speed) => sum + speed, 0) / speeds.length),
  }
}

type Ppm = { exactMatch: number; low: number; high: number; n: number }
export const shareOf = ({ exactMatch, low, high, n }: Ppm) => ({
  exactMatch: exactMatch / 1_000_000,
  low: low / 1_000_000,
  high: high / 1_000_000,
  n,
})

/** Follows a run until it has ended, telling each step once. @throws PlayFailed when it failed */
export async function followRun(stage: Stage, runId: string): Promise<RunView> {
  const told = new Set<string>()
  let step = 0
  const run = await until(`The run ${runId.slice(0, 12)}… ends`, RUN_SECONDS, async () => {
    const now = await stage.session.client.call('getRun', { params: { id: runId } })
    for (const { name, state } of now.steps) {
      if (told.has(`${name} ${state}`)) continue
      told.add(`${name} ${state}`)
      if (state === 'running') stage.say(name)
    }
    const last = now.metrics.at(-1)
    if (last !== undefined && last.step > step) {
      step = last.step
      const figure =
        last.reward === null ? `loss ${last.loss.toFixed(3)}` : `reward ${last.reward.toFixed(2)}`
      stage.say(`${trainingBar(last)}, ${figure}`)
    }
    return now.state === 'running' ? undefined : now
  })
  if (run.state === 'failed')
    throw new PlayFailed(`The run failed: ${run.failure?.error}: ${run.failure?.cause}`)
  return run
}

const BAR_CELLS = 24

function trainingBar({ step, maxSteps }: RunView['metrics'][number]): string {
  if (maxSteps === null) return `step ${step}`
  const full = Math.min(BAR_CELLS, Math.round((step / maxSteps) * BAR_CELLS))
  return `${'█'.repeat(full)}${'░'.repeat(BAR_CELLS - full)} step ${step} of ${maxSteps}`
}

/** An operator starts the pipeline by hand, and starts the voted execution a second time. */
async function tryWithoutWarrant(stage: Stage): Promise<void> {
  if (stage.startByHand === null || stage.made.buildProposalId === undefined) return
  const byHand = await stage.startByHand('fine-tune', { schema: 1, input: { anything: 'goes' } })
  noteRefusal(stage, 'execution-without-warrant', 'warrant-missing', byHand.error)

  const { warrants } = await stage.session.client.call('getProposal', {
    params: { id: stage.made.buildProposalId },
  })
  const warrant = warrants.find(one => one.document.action === 'fine-tune')
  if (warrant === undefined) throw new PlayFailed('The build has no warrant')
  const build = await stage.session.client.call('getProposal', { params: { id: stage.made.buildProposalId } })
  const { action } = build.document
  const again = await stage.startByHand('fine-tune', {
    schema: 1,
    warrant: { id: warrant.id, document: warrant.document, signature: warrant.signature },
    input: action.type === 'build' ? action.input.fineTune : null,
    runId: stage.made.fineTuneRunId,
    attempt: 1,
  })
  noteRefusal(stage, 'second-use-of-a-warrant', 'warrant-used', again.error)
}
