import { routes } from '../../api/routes.ts'
import { keyIdOf } from '../../domain/serving/api-key.ts'
import { createKey } from '../../domain/serving/create-key.ts'
import { deps } from '../deps.ts'
import { endpoint, logger } from '../http/endpoint.ts'
import { presentKey } from './present-key.ts'

export const handler = endpoint(routes.createKey, async ({ body, receivedAt }) => {
  const key = await createKey(
    { genesis: deps.genesis(), keys: deps.apiKeys(), deposits: deps.deposits() },
    { ...body, now: receivedAt },
  )
  logger.info('key.created', { keyId: keyIdOf(key.keyHash), account: key.account, depositTx: key.depositTx })
  return presentKey(key)
})
