import type { AlignInput } from '../../api/schemas/governance.ts'
import { documentDigest, resourceName } from '../protocol/ids.ts'
import type { Version } from './ports.ts'
import type { Recipe } from './recipe.ts'
import {
  type JobProfile,
  type PlannedJob,
  planJob,
  requireBudget,
  worstCaseCostUsdMicro,
} from './training-job.ts'

export type AlignPlan = {
  /** Several answers of the parent to each prompt of the first round. */
  readonly sample: PlannedJob
  readonly rewardModel: PlannedJob
  /** Its `reward` channel is added by the machine once the reward model's job has a name. */
  readonly align: PlannedJob
  /** The candidate on the sealed set, and its answers to the second round; `model` is added by the machine. */
  readonly evaluate: PlannedJob
  readonly candidateAnswers: PlannedJob
  readonly parentAnswers: PlannedJob
  readonly costUsdMicro: number
}

/** Keys under the run, in the artifact bucket, of what its functions hand to its jobs. */
export const alignKeys = (runId: string) => ({
  firstPrompts: `runs/${runId}/prompts-1.jsonl`,
  secondPrompts: `runs/${runId}/prompts-2.jsonl`,
  pairs: `runs/${runId}/pairs.jsonl`,
})

const ALIGN_JOBS = 6
/** The second round compares what the models would be served with. */
const ONE_GREEDY = { samples: '1', temperature: '0', rounds: '1' }

/** Plans the jobs of one alignment. @throws OpenLedgerError budget-exceeded */
export function planAlign(
  facts: { stage: string; artifactsBucket: string; profile: JobProfile; recipe: Recipe },
  run: { runId: string; attempt: number; input: AlignInput; parent: Version; budgetUsdMicro: number },
): AlignPlan {
  const { stage, artifactsBucket, recipe, profile } = facts
  const { runId, attempt, input, parent } = run
  const bucket = `s3://${artifactsBucket}`
  const keys = alignKeys(runId)
  const parentModel = `${bucket}/${parent.lineage.weights.key}`
  const checkpointKey = documentDigest({
    datasetRoot: input.promptSet,
    recipe: input.recipe,
    code: recipe.code,
    parent: input.parentVersion,
  })
  const job = (
    name: string,
    program: 'evaluate' | 'generate' | 'reward_model' | 'align',
    settings: string,
    channels: Record<string, string>,
    extra: Record<string, string> = {},
  ) =>
    planJob({
      stage,
      recipe,
      profile,
      artifactsBucket,
      runId,
      checkpointKey,
      name: resourceName(stage, name, runId, attempt),
      program,
      settings,
      channels,
      extra,
    })
  const costUsdMicro = worstCaseCostUsdMicro(profile, ALIGN_JOBS)
  requireBudget(costUsdMicro, run.budgetUsdMicro)
  return {
    sample: job('sample', 'generate', 'generate', {
      model: parentModel,
      prompts: `${bucket}/${keys.firstPrompts}`,
    }),
    rewardModel: job('reward', 'reward_model', 'reward_model', {
      model: parentModel,
      pairs: `${bucket}/${keys.pairs}`,
    }),
    align: job('align', 'align', 'align', { model: parentModel, prompts: `${bucket}/${keys.firstPrompts}` }),
    evaluate: job(
      'evaluate',
      'evaluate',
      'evaluate',
      { sealed: `${bucket}/sealed/${input.sealedSet}.jsonl` },
      { system: 'tuned' },
    ),
    candidateAnswers: job(
      'answer',
      'generate',
      'generate',
      { prompts: `${bucket}/${keys.secondPrompts}` },
      ONE_GREEDY,
    ),
    parentAnswers: job(
      'parent',
      'generate',
      'generate',
      { model: parentModel, prompts: `${bucket}/${keys.secondPrompts}` },
      ONE_GREEDY,
    ),
    costUsdMicro,
  }
}
