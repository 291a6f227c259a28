import { proposeRoot } from '../../domain/rewards/propose-root.ts'
import { deps } from '../deps.ts'
import { logger } from '../http/endpoint.ts'

/** Brings the root of a settled period to the chain, signed by the payout key. */
export const handler = async ({ period }: { period: number }) => {
  const proposal = await proposeRoot(
    { settlements: deps.settlements(), log: deps.logBook(), claims: deps.rewardClaims() },
    period,
  )
  logger.info('root.proposed', { period, transaction: proposal?.transaction ?? null })
  return { period, ...proposal }
}
