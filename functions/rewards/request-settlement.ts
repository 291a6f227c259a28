import { routes } from '../../api/routes.ts'
import { parseBytes32 } from '../../domain/protocol/hex.ts'
import { requestSettlement } from '../../domain/rewards/request-settlement.ts'
import { deps } from '../deps.ts'
import { endpoint } from '../http/endpoint.ts'

export const handler = endpoint(routes.requestSettlement, async ({ params, body, receivedAt }) =>
  requestSettlement(
    {
      genesis: deps.genesis(),
      settlements: deps.settlements(),
      starter: deps.settlementStarter(),
      periodSeconds: deps.periodSeconds(),
    },
    { datanetId: parseBytes32(params.id), period: body.period, now: receivedAt },
  ),
)
