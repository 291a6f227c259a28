import type { DatanetTerms, FineTuneInput } from '../../api/schemas/governance.ts'
import { planBaselines } from '../../domain/training/plan-fine-tune.ts'
import { parseRecipe } from '../../domain/training/recipe.ts'
import { deps } from '../deps.ts'

/** The input of a fine-tune, or the terms of a Datanet that opens: both name what the baselines depend on. */
type Event = { input: FineTuneInput | DatanetTerms }

/** Plans the evaluation of the untuned model unless it was measured before. */
export const handler = async ({ input }: Event) => {
  const recipe = parseRecipe(await deps.artifacts().get(`recipes/${input.recipe}.json`), input.recipe)
  return planBaselines({ baselines: deps.baselines() }, deps.jobFacts(input.modelProfile, recipe), {
    baseModel: input.baseModel,
    sealedSet: digestOf(input.sealedSet),
    shotSet: digestOf(input.shotSet),
  })
}

function digestOf(set: string | { digest: string }): string {
  return typeof set === 'string' ? set : set.digest
}
