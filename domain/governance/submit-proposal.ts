import type { ProposalDocument } from '../../api/schemas/governance.ts'
import { OpenLedgerError } from '../errors.ts'
import { type Address, type Bytes32, parseAddress } from '../protocol/hex.ts'
import { documentId } from '../protocol/ids.ts'
import { normalizeSignature, requireSigner } from '../protocol/typed-data.ts'
import type { Genesis } from './genesis.ts'
import type { CloseSchedule, ProposalBook, VotingToken } from './ports.ts'
import type { Proposal } from './proposal.ts'
import { rulesDigest } from './rules.ts'

/** A client's clock may run ahead or behind by this much when it fills in the times of a proposal. */
const CLOCK_TOLERANCE_MS = 5_000
/** Far enough for any preset; a vote in ten years is a mistake or a squat on the proposer's slot. */
const FURTHEST_OPENING_MS = 90 * 86_400_000

export type SubmitProposalDeps = {
  readonly genesis: Genesis
  readonly proposals: ProposalBook
  readonly token: VotingToken
  readonly schedule: CloseSchedule
}

/**
 * Takes a signed proposal document into review. The same document sent again is the same proposal.
 * @throws OpenLedgerError wrong-deployment, rules-not-allowed, proposal-window-invalid, bad-signature,
 * wrong-signer, below-threshold, conflict
 */
export async function submitProposal(
  deps: SubmitProposalDeps,
  input: { document: ProposalDocument; signature: string; receivedAt: number },
): Promise<Proposal> {
  const { document, receivedAt } = input
  const { genesis } = deps
  requireThisDeployment(genesis, document)
  requireRulesInForce(genesis, document)
  requireWindows(genesis, document, receivedAt)

  const id = documentId(document)
  const proposer = parseAddress(document.proposer)
  requireSigner(
    genesis,
    'Proposal',
    { proposalId: id, proposer, nonce: document.nonce },
    input.signature,
    proposer,
  )

  const known = await deps.proposals.get(id)
  if (known !== null) return known

  await requireThreshold(deps, proposer)
  const proposal: Proposal = {
    id,
    document,
    rules: genesis.rules,
    signature: normalizeSignature(input.signature),
    submittedAt: receivedAt,
    admits: 0,
    rejects: 0,
    admittedAt: null,
    rejectedAt: null,
    snapshot: null,
    result: null,
    executedAt: null,
    outcome: null,
  }
  // The schedule comes first: one without a proposal ends quietly, a proposal without one would never close.
  const closesAt = Date.parse(document.closesAt)
  await deps.schedule.at(id, closesAt + 1_000)
  const added = await deps.proposals.add(proposal, closesAt)
  if (added === 'another-is-live') {
    throw new OpenLedgerError('conflict', 'An address may have one live proposal at a time', {
      expected: 'no other proposal of yours in review or under vote',
      seen: proposer,
    })
  }
  return added === 'exists' ? ((await deps.proposals.get(id)) ?? proposal) : proposal
}

function requireThisDeployment(genesis: Genesis, document: ProposalDocument) {
  if (document.deploymentId !== genesis.deploymentId) {
    throw new OpenLedgerError('wrong-deployment', 'The proposal was made for another deployment', {
      expected: genesis.deploymentId,
      seen: document.deploymentId,
    })
  }
}

function requireRulesInForce(genesis: Genesis, document: ProposalDocument) {
  if (genesis.rules.name === 'rehearsal' && !genesis.rehearsal) {
    throw new OpenLedgerError(
      'rules-not-allowed',
      'The rehearsal rules need a stage that says rehearsal: true',
    )
  }
  const inForce: Bytes32 = rulesDigest(genesis.rules)
  if (document.rules !== inForce) {
    throw new OpenLedgerError('rules-not-allowed', 'The proposal names other rules than those in force', {
      expected: inForce,
      seen: document.rules,
    })
  }
}

function requireWindows(genesis: Genesis, document: ProposalDocument, receivedAt: number) {
  const { rules } = genesis
  const opensAt = Date.parse(document.opensAt)
  const closesAt = Date.parse(document.closesAt)
  const refuse = (message: string, expected: string, seen: string) => {
    throw new OpenLedgerError('proposal-window-invalid', message, { expected, seen })
  }
  if (opensAt % 1_000 !== 0 || closesAt % 1_000 !== 0) {
    refuse('The vote opens and closes at whole seconds', 'instants ending in .000Z', document.opensAt)
  }
  const earliest = receivedAt + (rules.reviewSeconds + rules.votingDelaySeconds) * 1_000
  if (opensAt < earliest - CLOCK_TOLERANCE_MS) {
    refuse(
      'The vote would open before review and voting delay are over',
      `opensAt at or after ${new Date(earliest).toISOString()}`,
      document.opensAt,
    )
  }
  if (opensAt > receivedAt + FURTHEST_OPENING_MS) {
    refuse('The vote would open too far ahead', 'opensAt within 90 days', document.opensAt)
  }
  if (closesAt - opensAt !== rules.votingPeriodSeconds * 1_000) {
    refuse(
      'The voting period is not the one of the rules',
      `${rules.votingPeriodSeconds} seconds`,
      `${(closesAt - opensAt) / 1_000} seconds`,
    )
  }
}

async function requireThreshold(deps: SubmitProposalDeps, proposer: Address) {
  const needed = BigInt(deps.genesis.rules.proposalThresholdWei)
  const { votesWei } = await deps.token.votesNow(proposer)
  if (votesWei < needed) {
    throw new OpenLedgerError('below-threshold', 'Proposing needs more voting power than this address has', {
      expected: `at least ${needed} wei of votes`,
      seen: `${votesWei} wei; holders delegate with GOpen.delegate(address)`,
    })
  }
}
