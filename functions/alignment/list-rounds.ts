import { routes } from '../../api/routes.ts'
import { deps } from '../deps.ts'
import { endpoint } from '../http/endpoint.ts'
import { presentRound } from './present-round.ts'

export const handler = endpoint(routes.listRounds, async ({ query }) => {
  const page = await deps.rounds().list(query)
  return { items: page.items.map(presentRound), cursor: page.cursor }
})
