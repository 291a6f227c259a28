import { type FineTuneInput, fineTuneInput } from '../../api/schemas/governance.ts'
import type { Lineage } from '../../api/schemas/training.ts'
import { OpenLedgerError } from '../../domain/errors.ts'
import { judgeFineTune } from '../../domain/training/judge-fine-tune.ts'
import { parseRecipe, type Recipe } from '../../domain/training/recipe.ts'
import { registerVersion } from '../../domain/training/register-version.ts'
import { deps } from '../deps.ts'
import { logger } from '../http/endpoint.ts'
import { answersUnder, weightsUnder } from './job-outputs.ts'

type Run = { runId: string; warrantId: string; proposalId: string; attempt: number; input: unknown }
type Event = { run: Run; baselineKey: string; jobs: { train: string; evaluate: string } }

/** Decides the gate of a fine-tune and registers the version with its lineage, passed or not. */
export const handler = async ({ run, baselineKey, jobs }: Event) => {
  const input = fineTuneInput.parse(run.input)
  const recipe = parseRecipe(await deps.artifacts().get(`recipes/${input.recipe}.json`), input.recipe)
  const outputs = (job: string) => `runs/${run.runId}/${job}/output/model/`
  const { scores, gate } = judgeFineTune(
    input.gate,
    await answersUnder(outputs(jobs.evaluate)),
    await answersUnder(await baselinesPrefix(baselineKey)),
  )
  const weights = await weightsUnder(outputs(jobs.train))
  const version = await registerVersion(
    { versions: deps.versions(), files: deps.publicFiles(), log: deps.log() },
    {
      lineage: lineageOf(run, input, recipe, jobs, { scores, gate, weights }),
      promoted: gate.passed,
      now: Date.now(),
    },
  )
  logger.info('version.registered', { versionId: version.id, runId: run.runId, passed: gate.passed })
  return { passed: gate.passed, output: { version: version.id, scores, gate, jobs } }
}

function lineageOf(
  run: Run,
  input: FineTuneInput,
  recipe: Recipe,
  jobs: Event['jobs'],
  made: Pick<Lineage, 'scores' | 'gate' | 'weights'>,
): Lineage {
  const { image } = deps.modelProfile(input.modelProfile).training
  return {
    schema: 1,
    deploymentId: deps.genesis().deploymentId,
    kind: 'fine-tune',
    datanetId: input.datanetId,
    parent: input.baseModel,
    baseModel: input.baseModel,
    warrantId: run.warrantId,
    proposalId: run.proposalId,
    runId: run.runId,
    dataset: {
      datasetId: input.dataset.datasetId,
      trainRoot: input.dataset.trainRoot,
      logSize: input.dataset.logSize,
    },
    round: null,
    recipe: input.recipe,
    code: recipe.code,
    jobs: [
      { name: jobs.train, program: 'finetune', image },
      { name: jobs.evaluate, program: 'evaluate', image },
    ],
    ...made,
  }
}

async function baselinesPrefix(key: string): Promise<string> {
  const baseline = await deps.baselines().get(key)
  if (baseline === null)
    throw new OpenLedgerError('not-found', 'The baselines were not measured', { expected: key })
  return baseline.prefix
}
