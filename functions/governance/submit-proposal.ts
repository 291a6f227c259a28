import { routes } from '../../api/routes.ts'
import { proposalState } from '../../domain/governance/proposal.ts'
import { signReceipt } from '../../domain/governance/receipt.ts'
import { submitProposal } from '../../domain/governance/submit-proposal.ts'
import { deps } from '../deps.ts'
import { endpoint, logger } from '../http/endpoint.ts'
import { receiptOrNull } from '../http/presenters.ts'

export const handler = endpoint(routes.submitProposal, async ({ body, receivedAt }) => {
  const genesis = deps.genesis()
  const proposal = await submitProposal(
    { genesis, proposals: deps.proposals(), token: deps.token(), schedule: deps.schedule() },
    { ...body, receivedAt },
  )
  logger.info('proposal.submitted', { proposalId: proposal.id, action: proposal.document.action.type })
  const receipt = await receiptOrNull(() =>
    signReceipt({ genesis, signer: deps.receiptSigner() }, proposal.id, proposal.submittedAt),
  )
  return { id: proposal.id, state: proposalState(proposal, receivedAt), receipt }
})
