import { shutGates } from '../../domain/governance/close-vote.ts'
import { parseBytes32 } from '../../domain/protocol/hex.ts'
import { deps } from '../deps.ts'

export const handler = (event: { proposalId: string }) =>
  shutGates(
    { proposals: deps.proposals(), ballots: deps.ballots() },
    { proposalId: parseBytes32(event.proposalId), now: Date.now() },
  )
