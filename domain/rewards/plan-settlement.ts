import type { Bytes32, Sha256Hex } from '../protocol/hex.ts'
import { documentDigest, resourceName } from '../protocol/ids.ts'
import type { AliasBook, UsageBook } from '../serving/ports.ts'
import { parseRecipe, type Recipe } from '../training/recipe.ts'
import { type JobProfile, type PlannedJob, planJob } from '../training/training-job.ts'
import {
  type ModelLine,
  type ModelLineDeps,
  measurementKey,
  modelLine,
  requireSoleEarner,
} from './model-line.ts'
import { requireSettleable } from './open-period.ts'
import type { MeasurementBook, RewardClaims, SettlementBook } from './ports.ts'
import { readPayout } from './read-payout.ts'

export type PlanSettlementDeps = ModelLineDeps & {
  readonly aliases: Pick<AliasBook, 'list'>
  readonly usage: UsageBook
  readonly settlements: SettlementBook
  readonly measurements: MeasurementBook
  readonly claims: Pick<RewardClaims, 'fundedOf'>
  readonly artifacts: { get(key: string): Promise<Uint8Array | null> }
  readonly files: { get(key: string): Promise<Uint8Array | null> }
  readonly periodSeconds: number
  readonly rehearsal: boolean
  readonly jobFacts: (
    modelProfile: string,
    recipe: Recipe,
  ) => {
    readonly stage: string
    readonly artifactsBucket: string
    readonly dataBucket: string
    readonly profile: JobProfile
    readonly recipe: Recipe
  }
}

export type SettlementPlan =
  /** No revenue, and nothing held that is due: the period is left unsettled. */
  | { readonly state: 'nothing' }
  /** To be weighed now: settled before, measured before, or without revenue to split. */
  | { readonly state: 'ready' }
  | { readonly state: 'measure'; readonly key: Sha256Hex; readonly job: PlannedJob }

/**
 * Closes a period and plans what has to be measured before it can be split. Planning again is harmless: a closed
 * period stays closed, and what was measured or settled is found.
 * @throws OpenLedgerError malformed, period-settled, conflict, not-found
 */
export async function planSettlement(
  deps: PlanSettlementDeps,
  input: { datanetId: Bytes32; period: number; execution: string; now: number },
): Promise<SettlementPlan> {
  const { datanetId, period, now } = input
  if ((await deps.settlements.get(period)) !== null) return { state: 'ready' }
  const latest = await deps.settlements.latest()
  const { periodSeconds, rehearsal } = deps
  requireSettleable(period, { latest, now, periodSeconds, rehearsal })

  const { amountWei } = await deps.claims.fundedOf(period)
  if (amountWei === 0n) {
    const before = await readPayout(deps.files, latest)
    const isAnyDue = before.state.accounts.some(({ held }) =>
      held.some(part => part.period + before.releaseAfterPeriods <= period),
    )
    return { state: isAnyDue ? 'ready' : 'nothing' }
  }
  await deps.usage.closePeriod(period, now)
  await requireSoleEarner(deps, datanetId, period)

  const line = await modelLine(deps, datanetId, period)
  const recipe = await recipeOf(deps, line)
  const key = measurementKey(line, recipe)
  if ((await deps.measurements.get(key)) !== null) return { state: 'ready' }
  return {
    state: 'measure',
    key,
    job: measuringJob(deps.jobFacts(line.modelProfile, recipe), line, key, input),
  }
}

/** The recipe that the served line was made with. */
export async function recipeOf(
  deps: Pick<PlanSettlementDeps, 'artifacts'>,
  line: ModelLine,
): Promise<Recipe> {
  const { recipe } = line.fineTune.lineage
  return parseRecipe(await deps.artifacts.get(`recipes/${recipe}.json`), recipe)
}

function measuringJob(
  facts: ReturnType<PlanSettlementDeps['jobFacts']>,
  line: ModelLine,
  key: Sha256Hex,
  { execution }: { execution: string },
): PlannedJob {
  const bucket = `s3://${facts.artifactsBucket}`
  return planJob({
    ...facts,
    // SageMaker never takes a name twice, and another execution may have to measure again.
    name: resourceName(facts.stage, 'usefulness', documentDigest({ key, execution }), 1),
    program: 'usefulness',
    settings: 'usefulness',
    runId: `usefulness-${key}`,
    checkpointKey: key,
    channels: {
      model: `${bucket}/base-models/${line.fineTune.lineage.baseModel}/`,
      snapshots: `${bucket}/${line.snapshotsPrefix}`,
      train: `s3://${facts.dataBucket}/${line.trainKey}`,
      usefulness: `${bucket}/sealed/${line.usefulnessSet}.jsonl`,
    },
  })
}

/** Where the job that was planned for a key leaves its files. */
export const measurementPrefix = (key: Sha256Hex, jobName: string) =>
  `runs/usefulness-${key}/${jobName}/output/model/`
