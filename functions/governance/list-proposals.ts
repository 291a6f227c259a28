import { routes } from '../../api/routes.ts'
import { deps } from '../deps.ts'
import { endpoint } from '../http/endpoint.ts'
import { viewProposal } from './view-proposal.ts'

export const handler = endpoint(routes.listProposals, async ({ query, receivedAt }) => {
  const page = await deps.proposals().list(query)
  return {
    items: await Promise.all(page.items.map(proposal => viewProposal(proposal, receivedAt))),
    cursor: page.cursor,
  }
})
