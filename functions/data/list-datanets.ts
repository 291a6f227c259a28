import { routes } from '../../api/routes.ts'
import { deps } from '../deps.ts'
import { endpoint } from '../http/endpoint.ts'
import { viewDatanet } from './present-datanet.ts'

export const handler = endpoint(routes.listDatanets, async ({ query }) => {
  const { items, cursor } = await deps.datanets().list(query)
  return { items: await Promise.all(items.map(viewDatanet)), cursor }
})
