import { closeVote } from '../../domain/governance/close-vote.ts'
import { parseBytes32 } from '../../domain/protocol/hex.ts'
import { deps } from '../deps.ts'
import { logger } from '../http/endpoint.ts'
import { iso } from '../http/presenters.ts'

export const handler = async (event: { proposalId: string }) => {
  const result = await closeVote(
    {
      genesis: deps.genesis(),
      proposals: deps.proposals(),
      ballots: deps.ballots(),
      token: deps.token(),
      files: deps.publicFiles(),
      log: deps.log(),
    },
    { proposalId: parseBytes32(event.proposalId), now: Date.now() },
  )
  logger.info('vote.closed', { proposalId: event.proposalId, outcome: result.outcome, voters: result.voters })
  return {
    outcome: result.outcome,
    reason: result.reason,
    executableAt: result.executableAt === null ? null : iso(result.executableAt),
  }
}
