import { sleepIdleModels } from '../../domain/serving/sleep-idle-models.ts'
import { deps } from '../deps.ts'
import { logger } from '../http/endpoint.ts'

/** Runs every few minutes. */
export const handler = async () => {
  const asleep = await sleepIdleModels(
    {
      aliases: deps.aliases(),
      activity: deps.modelActivity(),
      copies: deps.modelCopies(),
      idleSeconds: profile => deps.modelProfile(profile).serving.idleSeconds,
    },
    Date.now(),
  )
  if (asleep.length > 0) logger.info('models.asleep', { components: asleep })
  return { asleep }
}
