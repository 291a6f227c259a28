import type { Action, WarrantDocument } from '../../api/schemas/governance.ts'
import type { Address, Bytes32, Hex } from '../protocol/hex.ts'
import type { Ballot, Proposal, Review, SnapshotBlock, Tally, VoteResult } from './proposal.ts'

/** Proposals and their reviews. Every write is conditional: `false` means that somebody else was first. */
export type ProposalBook = {
  /** Puts a new proposal and the proposer's one-live-proposal lock in one transaction. */
  add(proposal: Proposal, liveUntilMs: number): Promise<'added' | 'exists' | 'another-is-live'>
  get(id: Bytes32): Promise<Proposal | null>
  list(page: {
    cursor?: string | undefined
    limit?: number | undefined
  }): Promise<{ items: Proposal[]; cursor: string | null }>
  reviews(id: Bytes32): Promise<Review[]>
  /** Adds a review and sets the counters if they are still the ones that were read. */
  addReview(
    before: Proposal,
    review: Review,
    after: { admits: number; rejects: number; admittedAt: number | null; rejectedAt: number | null },
  ): Promise<'added' | 'exists' | 'changed'>
  recordSnapshot(id: Bytes32, block: SnapshotBlock): Promise<SnapshotBlock>
  recordResult(id: Bytes32, result: VoteResult): Promise<VoteResult>
  recordExecuted(id: Bytes32, executedAt: number, outcome: Record<string, string>): Promise<void>
}

export type GateState = {
  readonly shard: number
  readonly tally: Tally
  readonly voters: number
  readonly items: number
  readonly shutAt: number | null
}

/** Ballots in `shards` partitions a proposal, each with its own gate. */
export type BallotBook = {
  current(id: Bytes32, voter: Address): Promise<Ballot | null>
  item(id: Bytes32, voter: Address, nonce: number): Promise<Ballot | null>
  /** Counts `ballot` in place of `previous`: ballot, gate and append-only item in one transaction. */
  replace(
    id: Bytes32,
    ballot: Ballot,
    previous: Ballot | null,
  ): Promise<'counted' | 'gate-shut' | 'changed' | 'exists'>
  /** Keeps a valid ballot with a lower nonce: an item without a change of the tally. */
  keepSuperseded(id: Bytes32, ballot: Ballot): Promise<'kept' | 'gate-shut' | 'exists'>
  recordEquivocation(id: Bytes32, ballot: Ballot): Promise<void>
  gates(id: Bytes32): Promise<GateState[]>
  shutGate(id: Bytes32, shard: number, shutAt: number): Promise<void>
  items(id: Bytes32, shard: number): Promise<Ballot[]>
}

/** gOPEN as the configured endpoints agree on it. Amounts in wei, timepoints in seconds. */
export type VotingToken = {
  finalizedBlock(): Promise<SnapshotBlock>
  /** `getPastVotes(voter, timepoint)` at a final block whose time is past the timepoint. */
  pastVotes(voter: Address, timepointSeconds: number, block: SnapshotBlock): Promise<bigint>
  pastTotalSupply(timepointSeconds: number, block: SnapshotBlock): Promise<bigint>
  votesNow(
    address: Address,
  ): Promise<{ votesWei: bigint; balanceWei: bigint; delegate: Address | null; block: SnapshotBlock }>
}

export type PowerCache = {
  get(id: Bytes32, voter: Address): Promise<bigint | null>
  put(id: Bytes32, voter: Address, powerWei: bigint): Promise<void>
}

/** Signs a 32-byte digest with a secp256k1 key of one purpose; `address` is the key's Ethereum address. */
export type DigestSigner = { address(): Promise<Address>; sign(digest: Bytes32): Promise<Hex> }

export type PublicFiles = {
  put(key: string, bytes: Uint8Array, contentType: string): Promise<void>
  get(key: string): Promise<Uint8Array | null>
}

export type CloseSchedule = { at(proposalId: Bytes32, instantMs: number): Promise<void> }

export type WarrantAction = WarrantDocument['action']
export type StoredWarrant = {
  readonly id: Bytes32
  readonly document: WarrantDocument
  readonly signature: Hex
  readonly input: Action['input']
  readonly usedBy: string | null
  readonly attempts: number
  readonly succeeded: boolean
}

export type WarrantBook = {
  /** Keeps the first warrant of (proposal, action) and answers with what is kept. */
  keep(warrant: StoredWarrant): Promise<StoredWarrant>
  get(proposalId: Bytes32, action: WarrantAction): Promise<StoredWarrant | null>
  list(proposalId: Bytes32): Promise<StoredWarrant[]>
  /** Sets `usedBy` if it is absent or equal to `user`; false when another execution holds it. */
  use(proposalId: Bytes32, action: WarrantAction, user: string, attempt: number): Promise<boolean>
  succeed(proposalId: Bytes32, action: WarrantAction, user: string): Promise<void>
}

export type MachineStarter = {
  /** Starts at most one execution of that name; a second start with the same name is not an error. */
  start(
    machine: 'fine-tune' | 'align' | 'release' | 'measure-baselines',
    name: string,
    input: unknown,
  ): Promise<void>
}
