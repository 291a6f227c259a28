import { routes } from '../../api/routes.ts'
import { parseAddress } from '../../domain/protocol/hex.ts'
import { accountRewards } from '../../domain/rewards/account-rewards.ts'
import { deps } from '../deps.ts'
import { endpoint } from '../http/endpoint.ts'
import { presentRewards } from './present-payout.ts'

export const handler = endpoint(routes.getRewards, async ({ params }) =>
  presentRewards(
    await accountRewards(
      { settlements: deps.settlements(), claims: deps.rewardClaims() },
      parseAddress(params.address),
    ),
  ),
)
