import { routes } from '../../api/routes.ts'
import { submitReview } from '../../domain/governance/submit-review.ts'
import { parseBytes32 } from '../../domain/protocol/hex.ts'
import { deps } from '../deps.ts'
import { endpoint, logger } from '../http/endpoint.ts'

export const handler = endpoint(routes.submitReview, async ({ params, body, receivedAt }) => {
  const proposal = await submitReview(
    { genesis: deps.genesis(), proposals: deps.proposals() },
    { ...body, proposalId: parseBytes32(params.id), receivedAt },
  )
  logger.info('proposal.reviewed', {
    proposalId: proposal.id,
    admits: proposal.admits,
    rejects: proposal.rejects,
  })
  return {
    proposalId: proposal.id,
    admits: proposal.admits,
    rejects: proposal.rejects,
    admitted: proposal.admittedAt !== null,
  }
})
