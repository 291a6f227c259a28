import { fineTuneInput } from '../../api/schemas/governance.ts'
import { parseBytes32 } from '../../domain/protocol/hex.ts'
import { planFineTune } from '../../domain/training/plan-fine-tune.ts'
import { parseRecipe } from '../../domain/training/recipe.ts'
import { deps } from '../deps.ts'

type Event = { runId: string; attempt: number; budgetUsdMicro: number; input: unknown; trainKey: string }

export const handler = async (event: Event) => {
  const input = fineTuneInput.parse(event.input)
  const recipe = parseRecipe(await deps.artifacts().get(`recipes/${input.recipe}.json`), input.recipe)
  const plan = planFineTune(deps.jobFacts(input.modelProfile, recipe), { ...event, input })
  await deps.runs().planned(parseBytes32(event.runId), plan.train.checkpointUri)
  return plan
}
