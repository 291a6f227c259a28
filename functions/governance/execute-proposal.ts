import { executeProposal } from '../../domain/governance/execute-proposal.ts'
import { parseBytes32 } from '../../domain/protocol/hex.ts'
import { deps } from '../deps.ts'
import { logger } from '../http/endpoint.ts'

export const handler = async (event: { proposalId: string }) => {
  const outcome = await executeProposal(
    {
      genesis: deps.genesis(),
      proposals: deps.proposals(),
      warrants: deps.warrants(),
      signer: deps.warrantSigner(),
      machines: deps.machines(),
      openDatanet: deps.openDatanet(),
    },
    { proposalId: parseBytes32(event.proposalId), now: Date.now() },
  )
  logger.info('proposal.executed', { proposalId: event.proposalId, ...outcome })
  return outcome
}
