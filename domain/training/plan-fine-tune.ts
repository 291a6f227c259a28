import type { FineTuneInput } from '../../api/schemas/governance.ts'
import { documentDigest, resourceName } from '../protocol/ids.ts'
import type { BaselineBook } from './ports.ts'
import type { Recipe } from './recipe.ts'
import {
  type JobProfile,
  type PlannedJob,
  planJob,
  requireBudget,
  worstCaseCostUsdMicro,
} from './training-job.ts'

export type FineTunePlan = {
  readonly train: PlannedJob
  /** Its `model` channel is added by the machine once the training job's name is known. */
  readonly evaluate: PlannedJob
  readonly costUsdMicro: number
}
export type BaselinePlan = {
  readonly key: string
  /** The name of the job that measured them; null when they are to be measured by `job`. */
  readonly known: string | null
  readonly prefix: string | null
  readonly job: PlannedJob
}

type Facts = {
  readonly stage: string
  readonly artifactsBucket: string
  readonly dataBucket: string
  readonly profile: JobProfile
  readonly recipe: Recipe
}

/** Train, evaluate, and the baselines where nobody measured them before. */
const FINE_TUNE_JOBS = 3

/**
 * Plans the jobs of one fine-tune.
 * @throws OpenLedgerError budget-exceeded
 */
export function planFineTune(
  facts: Facts,
  run: { runId: string; attempt: number; input: FineTuneInput; trainKey: string; budgetUsdMicro: number },
): FineTunePlan {
  const { input, runId, attempt } = run
  const { stage, artifactsBucket, recipe, profile } = facts
  const bucket = `s3://${artifactsBucket}`
  const checkpointKey = documentDigest({
    datasetRoot: input.dataset.trainRoot,
    recipe: input.recipe,
    code: recipe.code,
    parent: input.baseModel,
  })
  const common = { stage, recipe, profile, artifactsBucket, runId, checkpointKey }
  const costUsdMicro = worstCaseCostUsdMicro(profile, FINE_TUNE_JOBS)
  requireBudget(costUsdMicro, run.budgetUsdMicro)
  return {
    train: planJob({
      ...common,
      name: resourceName(stage, 'train', runId, attempt),
      program: 'finetune',
      settings: 'finetune',
      channels: {
        train: `s3://${facts.dataBucket}/${run.trainKey}`,
        model: `${bucket}/base-models/${input.baseModel}/`,
      },
    }),
    evaluate: planJob({
      ...common,
      name: resourceName(stage, 'evaluate', runId, attempt),
      program: 'evaluate',
      settings: 'evaluate',
      channels: { sealed: `${bucket}/sealed/${input.sealedSet}.jsonl` },
      extra: { system: 'tuned' },
    }),
    costUsdMicro,
  }
}

/** What the baselines depend on, and nothing else: measured once for all runs that share it. */
export function baselineKey(
  input: Pick<FineTuneInput, 'baseModel' | 'sealedSet' | 'shotSet'>,
  recipe: Recipe,
): string {
  return documentDigest({
    baseModel: input.baseModel,
    sealedSet: input.sealedSet,
    shotSet: input.shotSet,
    code: recipe.code,
    settings: recipe.jobs.evaluate ?? null,
  })
}

/** Plans the evaluation of the base model, alone and shown the worked examples. */
export async function planBaselines(
  deps: { baselines: BaselineBook },
  facts: Facts,
  input: Pick<FineTuneInput, 'baseModel' | 'sealedSet' | 'shotSet'>,
): Promise<BaselinePlan> {
  const key = baselineKey(input, facts.recipe)
  const known = await deps.baselines.get(key)
  const bucket = `s3://${facts.artifactsBucket}`
  return {
    key,
    known: known?.jobName ?? null,
    prefix: known?.prefix ?? null,
    job: planJob({
      stage: facts.stage,
      name: resourceName(facts.stage, 'baselines', key, 1),
      program: 'evaluate',
      settings: 'evaluate',
      recipe: facts.recipe,
      profile: facts.profile,
      artifactsBucket: facts.artifactsBucket,
      runId: `baselines-${key}`,
      checkpointKey: key,
      channels: {
        model: `${bucket}/base-models/${input.baseModel}/`,
        sealed: `${bucket}/sealed/${input.sealedSet}.jsonl`,
        shots: `${bucket}/sealed/${input.shotSet}.jsonl`,
      },
      extra: { system: 'base,few-shot' },
    }),
  }
}
