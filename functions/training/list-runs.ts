import { routes } from '../../api/routes.ts'
import { deps } from '../deps.ts'
import { endpoint } from '../http/endpoint.ts'
import { presentRun } from './present-run.ts'

export const handler = endpoint(routes.listRuns, async ({ query }) => {
  const page = await deps.runs().list(query)
  return { items: page.items.map(presentRun), cursor: page.cursor }
})
