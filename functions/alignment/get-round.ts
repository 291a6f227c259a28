import { routes } from '../../api/routes.ts'
import { OpenLedgerError } from '../../domain/errors.ts'
import { parseBytes32 } from '../../domain/protocol/hex.ts'
import { deps } from '../deps.ts'
import { endpoint } from '../http/endpoint.ts'
import { presentRound } from './present-round.ts'

export const handler = endpoint(routes.getRound, async ({ params }) => {
  const round = await deps.rounds().get(parseBytes32(params.id))
  if (round === null) throw new OpenLedgerError('not-found', 'There is no such round', { seen: params.id })
  return presentRound(round)
})
