import { alignInput } from '../../api/schemas/governance.ts'
import { parsePrompts } from '../../domain/alignment/answer-pairs.ts'
import { OpenLedgerError } from '../../domain/errors.ts'
import { parseBytes32 } from '../../domain/protocol/hex.ts'
import { alignKeys, planAlign } from '../../domain/training/plan-align.ts'
import { parseRecipe } from '../../domain/training/recipe.ts'
import { deps } from '../deps.ts'

type Event = { runId: string; attempt: number; budgetUsdMicro: number; input: unknown }

/** Plans the jobs of an alignment and parts its prompts: what teaches never judges. */
export const handler = async (event: Event) => {
  const input = alignInput.parse(event.input)
  const recipe = parseRecipe(await deps.artifacts().get(`recipes/${input.recipe}.json`), input.recipe)
  const parent = await deps.versions().get(parseBytes32(input.parentVersion))
  if (parent === null) {
    throw new OpenLedgerError('not-found', 'The parent version is not registered', {
      seen: input.parentVersion,
    })
  }
  const plan = planAlign(deps.jobFacts(input.modelProfile, recipe), { ...event, input, parent })

  const promptFile = `sealed/${input.promptSet}.jsonl`
  const prompts = parsePrompts(await deps.artifacts().get(promptFile), promptFile)
  const keys = alignKeys(event.runId)
  for (const [key, round] of [
    [keys.firstPrompts, 1],
    [keys.secondPrompts, 2],
  ] as const) {
    const lines = prompts
      .filter(prompt => prompt.round === round)
      .map(prompt => `${JSON.stringify(prompt)}\n`)
    await deps.artifacts().put(key, new TextEncoder().encode(lines.join('')), 'application/x-ndjson')
  }
  await deps.runs().planned(parseBytes32(event.runId), plan.align.checkpointUri)
  return { ...plan, roundSeconds: input.roundSeconds }
}
