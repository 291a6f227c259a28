import { releaseInput } from '../../api/schemas/governance.ts'
import { OpenLedgerError } from '../../domain/errors.ts'
import { parseBytes32 } from '../../domain/protocol/hex.ts'
import {
  askSealedPrompts,
  evaluationKey,
  ownAnswers,
  parseSealedSet,
} from '../../domain/serving/ask-sealed-prompts.ts'
import { parseGradedAnswers } from '../../domain/training/answers.ts'
import { jobSettings, parseRecipe } from '../../domain/training/recipe.ts'
import { deps } from '../deps.ts'
import { logger } from '../http/endpoint.ts'

type Event = { input: unknown; endpoint: string; component: string }

/** As in training/evaluate.py. */
const DEFAULT_MAX_NEW_TOKENS = '32'
/** The function's own time, less what is needed to say that it was too short. */
const TIME_MS = 280_000

/** A release's smoke test: what is served answers as what was evaluated. */
export const handler = async (event: Event) => {
  const { datanetId, version: versionId, alias } = releaseInput.parse(event.input)
  const [datanet, version] = await Promise.all([
    deps.datanets().get(parseBytes32(datanetId)),
    deps.versions().get(parseBytes32(versionId)),
  ])
  if (datanet === null || version === null) {
    throw new OpenLedgerError('not-found', 'The Datanet or the version is not there', { seen: versionId })
  }
  const { lineage } = version
  const answersKey = evaluationKey(lineage)
  const sealedKey = `sealed/${datanet.terms.sealedSet.digest}.jsonl`
  const recipe = parseRecipe(await deps.artifacts().get(`recipes/${lineage.recipe}.json`), lineage.recipe)
  const answers = parseGradedAnswers(await deps.artifacts().get(answersKey), answersKey)
  const result = await askSealedPrompts(
    { model: deps.servedModel() },
    {
      target: event,
      model: alias,
      prompts: parseSealedSet(await deps.artifacts().get(sealedKey), sealedKey),
      answers: ownAnswers(answers),
      maxTokens: Number(jobSettings(recipe, 'evaluate')['max-new-tokens'] ?? DEFAULT_MAX_NEW_TOKENS),
      signal: AbortSignal.timeout(TIME_MS),
    },
  )
  logger.info('release.asked', { versionId, ...result })
  return result
}
