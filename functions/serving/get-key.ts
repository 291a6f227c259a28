import { routes } from '../../api/routes.ts'
import { presentedKey, unknownKey } from '../../domain/serving/api-key.ts'
import { deps } from '../deps.ts'
import { endpoint } from '../http/endpoint.ts'
import { presentKey } from './present-key.ts'

export const handler = endpoint(routes.getKey, async ({ headers }) => {
  const key = await deps.apiKeys().get(presentedKey(headers.authorization))
  if (key === null) throw unknownKey()
  return presentKey(key)
})
