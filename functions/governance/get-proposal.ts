import { routes } from '../../api/routes.ts'
import { OpenLedgerError } from '../../domain/errors.ts'
import { parseBytes32 } from '../../domain/protocol/hex.ts'
import { deps } from '../deps.ts'
import { endpoint } from '../http/endpoint.ts'
import { viewProposal } from './view-proposal.ts'

export const handler = endpoint(routes.getProposal, async ({ params, receivedAt }) => {
  const proposal = await deps.proposals().get(parseBytes32(params.id))
  if (proposal === null)
    throw new OpenLedgerError('not-found', 'There is no such proposal', { seen: params.id })
  return viewProposal(proposal, receivedAt)
})
