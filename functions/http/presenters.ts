import type { ProposalView } from '../../api/schemas/governance.ts'
import type { StoredWarrant } from '../../domain/governance/ports.ts'
import { type Proposal, proposalState, type Review, type Tally } from '../../domain/governance/proposal.ts'
import type { SignedReceipt } from '../../domain/governance/receipt.ts'
import { runIdOf } from '../../domain/governance/warrant.ts'
import { logger } from './endpoint.ts'

export const iso = (instantMs: number) => new Date(instantMs).toISOString()

export function presentReceipt(receipt: SignedReceipt) {
  return { ...receipt, receivedAt: iso(receipt.receivedAt), includeBy: iso(receipt.includeBy) }
}

/** A receipt that cannot be signed now never loses what it is for: null, and it can be asked for again. */
export async function receiptOrNull(sign: () => Promise<SignedReceipt>) {
  try {
    return presentReceipt(await sign())
  } catch (error) {
    logger.error('receipt.unsigned', { error: error as Error })
    return null
  }
}

export function presentProposal(
  proposal: Proposal,
  parts: {
    now: number
    governorsNeeded: number
    reviews: readonly Review[]
    tally: Tally & { voters: number }
    warrants: readonly StoredWarrant[]
  },
): ProposalView {
  const { result } = proposal
  const tally = result === null ? parts.tally : { ...result.tally, voters: result.voters }
  return {
    id: proposal.id,
    state: proposalState(proposal, parts.now),
    submittedAt: iso(proposal.submittedAt),
    document: proposal.document,
    reviews: parts.reviews.map(({ governor, decision, reason, nonce, receivedAt }) => ({
      governor,
      decision,
      reason,
      nonce,
      receivedAt: iso(receivedAt),
    })),
    governorsNeeded: parts.governorsNeeded,
    tally: { ...presentTally(tally), estimate: result === null },
    quorumWei: result === null ? null : String(result.quorumWei),
    result:
      result === null
        ? null
        : {
            outcome: result.outcome,
            reason: result.reason,
            tally: presentTally({ ...result.tally, voters: result.voters }),
            quorumWei: String(result.quorumWei),
            totalSupplyWei: String(result.totalSupplyWei),
            ballotFile: result.ballotFile,
            closedAt: iso(result.closedAt),
            executableAt: result.executableAt === null ? null : iso(result.executableAt),
          },
    warrants: parts.warrants.map(presentWarrant),
    outcome: proposal.outcome === null ? null : { ...proposal.outcome },
  }
}

function presentTally(tally: Tally & { voters: number }) {
  return {
    againstWei: String(tally.againstWei),
    forWei: String(tally.forWei),
    abstainWei: String(tally.abstainWei),
    voters: tally.voters,
  }
}

function presentWarrant(warrant: StoredWarrant) {
  return {
    id: warrant.id,
    document: warrant.document,
    signature: warrant.signature,
    attempts: warrant.attempts,
    succeeded: warrant.succeeded,
    runs: Array.from({ length: warrant.attempts }, (_, index) => runIdOf(warrant.id, index + 1)),
  }
}
