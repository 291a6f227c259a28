import type { CastBallot, ProposalDocument, ProposalState, Rules } from '../../api/schemas/governance.ts'
import type { Address, Bytes32, Hex } from '../protocol/hex.ts'

export type Tally = { readonly againstWei: bigint; readonly forWei: bigint; readonly abstainWei: bigint }
export const emptyTally: Tally = { againstWei: 0n, forWei: 0n, abstainWei: 0n }

export type SnapshotBlock = { readonly number: number; readonly hash: Bytes32; readonly timestamp: number }

export type VoteResult = {
  readonly outcome: 'passed' | 'defeated' | 'disputed'
  readonly reason: string
  readonly tally: Tally
  readonly voters: number
  readonly quorumWei: bigint
  readonly totalSupplyWei: bigint
  readonly ballotFile: { readonly key: string; readonly sha256: string }
  readonly closedAt: number
  readonly executableAt: number | null
}

export type Review = {
  readonly governor: Address
  readonly decision: 'admit' | 'reject'
  readonly reason: string
  readonly nonce: number
  readonly signature: Hex
  readonly receivedAt: number
}

/** What is stored of a proposal. The state is never stored: it follows from this and the time. */
export type Proposal = {
  readonly id: Bytes32
  readonly document: ProposalDocument
  readonly rules: Rules
  readonly signature: Hex
  readonly submittedAt: number
  readonly admits: number
  readonly rejects: number
  readonly admittedAt: number | null
  readonly rejectedAt: number | null
  readonly snapshot: SnapshotBlock | null
  readonly result: VoteResult | null
  readonly executedAt: number | null
  readonly outcome: Readonly<Record<string, string>> | null
}

/** One signed choice as it is stored and published; `signature` is normalized. */
export type Ballot = {
  readonly voter: Address
  readonly support: CastBallot['support']
  readonly nonce: number
  readonly reason: string
  readonly signature: Hex
  readonly powerWei: bigint
  readonly receivedAt: number
}

/**
 * The vote's clock ticks in whole seconds, as OpenZeppelin's timestamp mode does: a vote is open when
 * clock > snapshot and clock <= deadline (Governor.state, IERC6372).
 */
export function clockSeconds(instantMs: number): number {
  return Math.floor(instantMs / 1_000)
}

export function snapshotSeconds(proposal: { document: ProposalDocument }): number {
  return clockSeconds(Date.parse(proposal.document.opensAt))
}

export function deadlineSeconds(proposal: { document: ProposalDocument }): number {
  return clockSeconds(Date.parse(proposal.document.closesAt))
}

export function isVoteOpen(proposal: Proposal, nowMs: number): boolean {
  const clock = clockSeconds(nowMs)
  return (
    proposal.admittedAt !== null &&
    proposal.result === null &&
    clock > snapshotSeconds(proposal) &&
    clock <= deadlineSeconds(proposal)
  )
}

/** The last instant, in milliseconds, at which a passed proposal may be executed. */
export function executionDeadlineMs(proposal: Proposal, result: VoteResult): number {
  return (result.executableAt ?? result.closedAt) + proposal.rules.executionWindowSeconds * 1_000
}

export function proposalState(proposal: Proposal, nowMs: number): ProposalState {
  if (proposal.executedAt !== null) return 'executed'
  const { result } = proposal
  if (result !== null) {
    if (result.outcome === 'disputed') return 'disputed'
    if (result.outcome === 'defeated') return 'defeated'
    return nowMs > executionDeadlineMs(proposal, result) ? 'expired' : 'queued'
  }
  if (proposal.rejectedAt !== null) return 'rejected'
  const clock = clockSeconds(nowMs)
  if (proposal.admittedAt === null) return clock > snapshotSeconds(proposal) ? 'lapsed' : 'in-review'
  if (clock <= snapshotSeconds(proposal)) return 'pending'
  return clock <= deadlineSeconds(proposal) ? 'active' : 'closing'
}
