import { routes } from '../../api/routes.ts'
import { parseBytes32 } from '../../domain/protocol/hex.ts'
import { openPeriod } from '../../domain/rewards/open-period.ts'
import { readPayoutFile } from '../../domain/rewards/read-payout.ts'
import { deps } from '../deps.ts'
import { endpoint } from '../http/endpoint.ts'
import { presentPayout } from './present-payout.ts'

export const handler = endpoint(routes.listPayouts, async ({ params, query, receivedAt }) => {
  const datanetId = parseBytes32(params.id)
  const [latest, page] = await Promise.all([deps.settlements().latest(), deps.settlements().list(query)])
  const own = page.items.filter(settled => settled.datanetId === datanetId)
  return {
    openPeriod: openPeriod(latest, receivedAt, deps.periodSeconds()),
    items: await Promise.all(
      own.map(async settled => presentPayout(settled, await readPayoutFile(deps.publicFiles(), settled))),
    ),
    cursor: page.cursor,
  }
})
