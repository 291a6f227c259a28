import type { CastBallot } from '../../api/schemas/governance.ts'
import { OpenLedgerError } from '../errors.ts'
import { type Address, type Bytes32, parseAddress } from '../protocol/hex.ts'
import { keccak256Hex } from '../protocol/ids.ts'
import { normalizeSignature, requireSigner } from '../protocol/typed-data.ts'
import type { Genesis } from './genesis.ts'
import type { BallotBook, PowerCache, ProposalBook, VotingToken } from './ports.ts'
import {
  type Ballot,
  deadlineSeconds,
  isVoteOpen,
  type Proposal,
  proposalState,
  snapshotSeconds,
} from './proposal.ts'

/** Two devices of one voter may race; each retry reads the ballot that won. */
const MAX_TRIES = 8

export type CastBallotDeps = {
  readonly genesis: Genesis
  readonly proposals: ProposalBook
  readonly ballots: BallotBook
  readonly powers: PowerCache
  readonly token: VotingToken
}

/**
 * Counts one signed ballot. The highest signed nonce of a voter counts, in whatever order ballots arrive; a
 * lower valid one is kept as superseded. The same nonce with other content is recorded and refused.
 * @throws OpenLedgerError not-found, proposal-not-open, bad-signature, wrong-signer, zero-power, equivocation,
 * unavailable (retry: nothing was stored)
 */
export async function castBallot(
  deps: CastBallotDeps,
  input: CastBallot & { proposalId: Bytes32; receivedAt: number },
): Promise<{ ballot: Ballot; counted: boolean }> {
  const voter = parseAddress(input.voter)
  const proposal = await deps.proposals.get(input.proposalId)
  if (proposal === null) {
    throw new OpenLedgerError('not-found', 'There is no such proposal', { seen: input.proposalId })
  }
  requireSigner(
    deps.genesis,
    'Ballot',
    {
      proposalId: proposal.id,
      voter,
      support: input.support,
      nonce: input.nonce,
      reasonHash: keccak256Hex(input.reason),
    },
    input.signature,
    voter,
  )
  requireOpen(proposal, input.receivedAt)
  const powerWei = await powerAtSnapshot(deps, proposal, voter)
  if (powerWei === 0n) {
    throw new OpenLedgerError('zero-power', 'This address had no votes when the vote opened', {
      expected: `votes delegated to the address before ${proposal.document.opensAt}`,
      seen: '0 wei; delegate with GOpen.delegate(address), to oneself too, before the next vote opens',
    })
  }
  const ballot: Ballot = {
    voter,
    support: input.support,
    nonce: input.nonce,
    reason: input.reason,
    signature: normalizeSignature(input.signature),
    powerWei,
    receivedAt: input.receivedAt,
  }
  return record(deps, proposal, ballot)
}

async function record(deps: CastBallotDeps, proposal: Proposal, ballot: Ballot) {
  for (let attempt = 0; attempt < MAX_TRIES; attempt++) {
    const before = await deps.ballots.item(proposal.id, ballot.voter, ballot.nonce)
    if (before !== null) return repeated(deps, proposal, ballot, before)
    const current = await deps.ballots.current(proposal.id, ballot.voter)
    const counts = current === null || ballot.nonce > current.nonce
    const written = counts
      ? await deps.ballots.replace(proposal.id, ballot, current)
      : await deps.ballots.keepSuperseded(proposal.id, ballot)
    if (written === 'counted') return { ballot, counted: true }
    if (written === 'kept') return { ballot, counted: false }
    if (written === 'gate-shut') throw notOpen(proposal, 'closing')
  }
  throw new OpenLedgerError('unavailable', 'Too many ballots of this voter at the same moment; send it again')
}

async function repeated(deps: CastBallotDeps, proposal: Proposal, ballot: Ballot, before: Ballot) {
  if (before.support !== ballot.support || before.reason !== ballot.reason) {
    await deps.ballots.recordEquivocation(proposal.id, ballot)
    throw new OpenLedgerError('equivocation', 'This nonce was signed before with other content', {
      expected: 'a higher nonce to change a ballot',
      seen: `nonce ${ballot.nonce} twice`,
    })
  }
  const current = await deps.ballots.current(proposal.id, ballot.voter)
  return { ballot: before, counted: current?.nonce === before.nonce }
}

function requireOpen(proposal: Proposal, receivedAt: number) {
  if (!isVoteOpen(proposal, receivedAt)) throw notOpen(proposal, proposalState(proposal, receivedAt))
}

function notOpen(proposal: Proposal, state: string) {
  return new OpenLedgerError('proposal-not-open', 'Ballots are taken only while the vote is open', {
    expected: `active: after ${new Date(snapshotSeconds(proposal) * 1_000).toISOString()}, at the latest ${new Date(
      deadlineSeconds(proposal) * 1_000,
    ).toISOString()}`,
    seen: state,
  })
}

/**
 * `getPastVotes(voter, opensAt)` at a final block later than opensAt; final, so it is kept for ever.
 * @throws OpenLedgerError unavailable until such a block exists
 */
export async function powerAtSnapshot(
  deps: Pick<CastBallotDeps, 'powers' | 'token' | 'proposals'>,
  proposal: Proposal,
  voter: Address,
): Promise<bigint> {
  const known = await deps.powers.get(proposal.id, voter)
  if (known !== null) return known
  const snapshot = snapshotSeconds(proposal)
  const block = await deps.token.finalizedBlock()
  if (block.timestamp <= snapshot) {
    throw new OpenLedgerError('unavailable', 'The chain has not yet finalized the snapshot; send it again', {
      expected: `a final block after ${new Date(snapshot * 1_000).toISOString()}`,
      seen: `block ${block.number} of ${new Date(block.timestamp * 1_000).toISOString()}`,
    })
  }
  if (proposal.snapshot === null) await deps.proposals.recordSnapshot(proposal.id, block)
  const powerWei = await deps.token.pastVotes(voter, snapshot, block)
  await deps.powers.put(proposal.id, voter, powerWei)
  return powerWei
}
