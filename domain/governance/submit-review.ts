import { OpenLedgerError } from '../errors.ts'
import { type Bytes32, parseAddress } from '../protocol/hex.ts'
import { keccak256Hex } from '../protocol/ids.ts'
import { normalizeSignature, REVIEW_DECISION, requireSigner } from '../protocol/typed-data.ts'
import type { Genesis } from './genesis.ts'
import type { ProposalBook } from './ports.ts'
import { type Proposal, proposalState, type Review } from './proposal.ts'

/** Governors who review at the same moment meet in one conditional write; each retry reads again. */
const MAX_TRIES = 8

export type SubmitReviewDeps = { readonly genesis: Genesis; readonly proposals: ProposalBook }

/**
 * Records one Protocol Governor's review. With the threshold of admits the proposal is admitted to the vote;
 * once so many reject that the threshold is out of reach it is rejected. Silence is a rejection: what is not
 * admitted when the vote would open has lapsed.
 * @throws OpenLedgerError not-found, not-governor, bad-signature, wrong-signer, proposal-not-reviewable, conflict
 */
export async function submitReview(
  deps: SubmitReviewDeps,
  input: {
    proposalId: Bytes32
    governor: string
    decision: 'admit' | 'reject'
    reason: string
    nonce: number
    signature: string
    receivedAt: number
  },
): Promise<Proposal> {
  const governor = parseAddress(input.governor)
  const { addresses, threshold } = deps.genesis.governors
  if (!addresses.includes(governor)) {
    throw new OpenLedgerError('not-governor', 'Only a Protocol Governor reviews proposals', {
      expected: `one of ${addresses.length} governors`,
      seen: governor,
    })
  }
  const message = {
    proposalId: input.proposalId,
    governor,
    decision: REVIEW_DECISION[input.decision],
    reasonHash: keccak256Hex(input.reason),
    nonce: input.nonce,
  }
  requireSigner(deps.genesis, 'Review', message, input.signature, governor)
  const review: Review = {
    governor,
    decision: input.decision,
    reason: input.reason,
    nonce: input.nonce,
    signature: normalizeSignature(input.signature),
    receivedAt: input.receivedAt,
  }

  for (let attempt = 0; attempt < MAX_TRIES; attempt++) {
    const proposal = await deps.proposals.get(input.proposalId)
    if (proposal === null)
      throw new OpenLedgerError('not-found', 'There is no such proposal', { seen: input.proposalId })
    const earlier = (await deps.proposals.reviews(proposal.id)).find(one => one.governor === governor)
    if (earlier !== undefined) {
      if (earlier.decision === review.decision && earlier.reason === review.reason) return proposal
      throw new OpenLedgerError('conflict', 'A governor reviews a proposal once', {
        expected: 'the review that is recorded',
        seen: `${earlier.decision} was recorded before`,
      })
    }
    const state = proposalState(proposal, input.receivedAt)
    if (state !== 'in-review' && state !== 'pending') {
      throw new OpenLedgerError('proposal-not-reviewable', 'The review of this proposal is over', {
        expected: 'in-review',
        seen: state,
      })
    }
    const after = counted(proposal, review, { threshold, governors: addresses.length })
    const written = await deps.proposals.addReview(proposal, review, after)
    if (written === 'added') return { ...proposal, ...after }
  }
  throw new OpenLedgerError('unavailable', 'Too many reviews at the same moment; send it again')
}

function counted(proposal: Proposal, review: Review, need: { threshold: number; governors: number }) {
  const admits = proposal.admits + (review.decision === 'admit' ? 1 : 0)
  const rejects = proposal.rejects + (review.decision === 'reject' ? 1 : 0)
  const outOfReach = need.governors - rejects < need.threshold
  return {
    admits,
    rejects,
    admittedAt: proposal.admittedAt ?? (admits >= need.threshold ? review.receivedAt : null),
    rejectedAt:
      proposal.rejectedAt ?? (proposal.admittedAt === null && outOfReach ? review.receivedAt : null),
  }
}
