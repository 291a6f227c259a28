import { routes } from '../../api/routes.ts'
import { presentedKey, unknownKey } from '../../domain/serving/api-key.ts'
import { deps } from '../deps.ts'
import { endpoint } from '../http/endpoint.ts'
import { presentKey } from './present-key.ts'

export const handler = endpoint(routes.getKey, async ({ headers, receivedAt }) => {
  const keyHash = presentedKey(headers.authorization)
  await deps.apiKeys().releaseExpired(keyHash, receivedAt)
  const key = await deps.apiKeys().get(keyHash)
  if (key === null) throw unknownKey()
  return presentKey(key)
})
