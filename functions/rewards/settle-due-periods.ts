import { settleDuePeriods } from '../../domain/rewards/request-settlement.ts'
import { deps } from '../deps.ts'
import { logger } from '../http/endpoint.ts'

/** By schedule: starts what is due, and finds what was started. */
export const handler = async () => {
  const started = await settleDuePeriods(
    {
      settlements: deps.settlements(),
      starter: deps.settlementStarter(),
      aliases: deps.aliases(),
      periodSeconds: deps.periodSeconds(),
    },
    Date.now(),
  )
  logger.info('settlement.due', started)
  return started
}
