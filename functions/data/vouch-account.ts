import { routes } from '../../api/routes.ts'
import { vouchAccount } from '../../domain/data/vouch-account.ts'
import { parseAddress } from '../../domain/protocol/hex.ts'
import { deps } from '../deps.ts'
import { endpoint, logger } from '../http/endpoint.ts'
import { viewAccount } from './present-account.ts'

export const handler = endpoint(routes.vouchAccount, async ({ params, body, receivedAt }) => {
  const account = parseAddress(params.address)
  const { governor, level, logIndex } = await vouchAccount(
    { genesis: deps.genesis(), accounts: deps.accounts(), log: deps.log() },
    { ...body, governor: parseAddress(body.governor), account, receivedAt },
  )
  logger.info('account.vouched', { account, governor, level, logIndex })
  return viewAccount(account)
})
