import { emptyTally, type Proposal } from '../../domain/governance/proposal.ts'
import { deps } from '../deps.ts'
import { presentProposal } from '../http/presenters.ts'

/** A proposal with what belongs to it: reviews, warrants, and the counters while the vote is open. */
export async function viewProposal(proposal: Proposal, now: number) {
  const counting = proposal.admittedAt !== null && proposal.result === null
  const [reviews, warrants, gates] = await Promise.all([
    deps.proposals().reviews(proposal.id),
    deps.warrants().list(proposal.id),
    counting ? deps.ballots().gates(proposal.id) : [],
  ])
  const tally = gates.reduce(
    (sum, gate) => ({
      againstWei: sum.againstWei + gate.tally.againstWei,
      forWei: sum.forWei + gate.tally.forWei,
      abstainWei: sum.abstainWei + gate.tally.abstainWei,
      voters: sum.voters + gate.voters,
    }),
    { ...emptyTally, voters: 0 },
  )
  return presentProposal(proposal, {
    now,
    governorsNeeded: deps.genesis().governors.threshold,
    reviews,
    tally,
    warrants,
  })
}
