import { OpenLedgerError } from '../errors.ts'
import type { Bytes32 } from '../protocol/hex.ts'
import { sha256Hex } from '../protocol/ids.ts'
import type { AttributionLog } from '../training/ports.ts'
import { ballotFile, countedBallots, tallyOf } from './ballot-file.ts'
import { decideOutcome } from './decide-outcome.ts'
import type { Genesis } from './genesis.ts'
import type { BallotBook, GateState, ProposalBook, PublicFiles, VotingToken } from './ports.ts'
import {
  type Ballot,
  clockSeconds,
  deadlineSeconds,
  emptyTally,
  type Proposal,
  snapshotSeconds,
  type VoteResult,
} from './proposal.ts'

export type CloseVoteDeps = {
  readonly genesis: Genesis
  readonly proposals: ProposalBook
  readonly ballots: BallotBook
  readonly token: VotingToken
  readonly files: PublicFiles
  readonly log: AttributionLog
}

/**
 * Shuts every gate of a proposal, each by its own conditional write. After it no ballot can be added.
 * @throws OpenLedgerError not-found; proposal-not-open before the deadline has passed
 */
export async function shutGates(
  deps: Pick<CloseVoteDeps, 'proposals' | 'ballots'>,
  input: { proposalId: Bytes32; now: number },
): Promise<{ admitted: boolean; shut: number }> {
  const proposal = await required(deps, input.proposalId)
  if (clockSeconds(input.now) <= deadlineSeconds(proposal)) {
    throw new OpenLedgerError('proposal-not-open', 'The deadline has not passed', {
      expected: `after ${proposal.document.closesAt}`,
      seen: new Date(input.now).toISOString(),
    })
  }
  if (proposal.admittedAt === null) return { admitted: false, shut: 0 }
  const gates = await deps.ballots.gates(proposal.id)
  await Promise.all(
    gates
      .filter(gate => gate.shutAt === null)
      .map(gate => deps.ballots.shutGate(proposal.id, gate.shard, input.now)),
  )
  const after = await deps.ballots.gates(proposal.id)
  const open = after.filter(gate => gate.shutAt === null).length
  if (open > 0) {
    throw new OpenLedgerError('unavailable', 'Not every gate is shut yet', {
      expected: `${after.length} shut gates`,
      seen: `${open} open`,
    })
  }
  return { admitted: true, shut: after.length }
}

/**
 * Counts the vote again from the append-only ballots, compares with the gates' counters, publishes the ballot
 * file and records the result once. A difference makes the proposal `disputed`, and nothing executes.
 */
export async function closeVote(
  deps: CloseVoteDeps,
  input: { proposalId: Bytes32; now: number },
): Promise<VoteResult> {
  const proposal = await required(deps, input.proposalId)
  if (proposal.result !== null) return proposal.result
  const gates = await deps.ballots.gates(proposal.id)
  requireAllShut(gates)
  const ballots: Ballot[] = []
  for (const gate of gates) {
    const items = await deps.ballots.items(proposal.id, gate.shard)
    if (items.length !== gate.items) {
      throw new OpenLedgerError('unavailable', 'A partition shows fewer ballots than it counted', {
        expected: `${gate.items} in shard ${gate.shard}`,
        seen: String(items.length),
      })
    }
    ballots.push(...items)
  }
  const recount = tallyOf(countedBallots(ballots).values())
  // A past timepoint answers the same at every later block, and a node that keeps no archive still has the newest.
  const newest = await deps.token.finalizedBlock()
  const block = proposal.snapshot ?? newest
  const totalSupplyWei = await deps.token.pastTotalSupply(snapshotSeconds(proposal), newest)
  const decision = decideOutcome(proposal.rules, recount, totalSupplyWei)
  const file = ballotFile(deps.genesis, proposal, {
    reviews: await deps.proposals.reviews(proposal.id),
    snapshot: block,
    totalSupplyWei,
    ballots,
    result: {
      outcome: decision.outcome,
      tally: recount,
      voters: recount.voters,
      quorumWei: decision.quorumWei,
    },
  })
  const sha256 = sha256Hex(file)
  const key = `ballots/${proposal.id}/${sha256}.ndjson.gz`
  await deps.files.put(key, file, 'application/gzip')

  const mismatch = counterMismatch(gates, recount)
  const outcome = mismatch === null ? decision.outcome : 'disputed'
  await deps.log.append({ kind: 'vote', proposalId: proposal.id, outcome, ballotFile: sha256 })
  return deps.proposals.recordResult(proposal.id, {
    outcome,
    reason: mismatch ?? decision.reason,
    tally: { againstWei: recount.againstWei, forWei: recount.forWei, abstainWei: recount.abstainWei },
    voters: recount.voters,
    quorumWei: decision.quorumWei,
    totalSupplyWei,
    ballotFile: { key, sha256 },
    closedAt: input.now,
    executableAt:
      mismatch === null && decision.outcome === 'passed'
        ? input.now + proposal.rules.timelockSeconds * 1_000
        : null,
  })
}

function requireAllShut(gates: readonly GateState[]) {
  const open = gates.filter(gate => gate.shutAt === null).length
  if (open > 0)
    throw new OpenLedgerError('proposal-not-open', 'The gates are not shut', { seen: `${open} open` })
}

function counterMismatch(gates: readonly GateState[], recount: ReturnType<typeof tallyOf>): string | null {
  const counted = gates.reduce(
    (sum, { tally, voters }) => ({
      againstWei: sum.againstWei + tally.againstWei,
      forWei: sum.forWei + tally.forWei,
      abstainWei: sum.abstainWei + tally.abstainWei,
      voters: sum.voters + voters,
    }),
    { ...emptyTally, voters: 0 },
  )
  const same =
    counted.againstWei === recount.againstWei &&
    counted.forWei === recount.forWei &&
    counted.abstainWei === recount.abstainWei &&
    counted.voters === recount.voters
  const show = (tally: typeof counted) =>
    `against ${tally.againstWei}, for ${tally.forWei}, abstain ${tally.abstainWei}, ${tally.voters} voters`
  return same ? null : `counters say ${show(counted)}; the recount says ${show(recount)}`
}

async function required(deps: Pick<CloseVoteDeps, 'proposals'>, id: Bytes32): Promise<Proposal> {
  const proposal = await deps.proposals.get(id)
  if (proposal === null) throw new OpenLedgerError('not-found', 'There is no such proposal', { seen: id })
  return proposal
}
