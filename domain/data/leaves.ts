import type { DatanetTerms } from '../../api/schemas/governance.ts'
import type { Genesis } from '../governance/genesis.ts'
import { rulesDigest } from '../governance/rules.ts'
import type { Bytes32 } from '../protocol/hex.ts'
import { messageToJson } from '../protocol/typed-data.ts'
import type { Leaf, Vouch } from './ports.ts'
import { type Submission, type SubmissionOutcome, submissionMessage } from './submission.ts'

/**
 * The leaves of this area. Each follows from what is stored once and holds no clock of its own, so that a leaf
 * made again is the same leaf.
 */

/** A Datanet opened by a vote. Its terms commit the digests of the sets that nobody may train on. */
export function datanetLeaf(datanetId: Bytes32, proposalId: Bytes32, terms: DatanetTerms): Leaf {
  return { kind: 'datanet-opened', schema: 1, datanetId, proposalId, terms }
}

/** The outcome of one submission: what was signed, and what was decided. */
export function submissionLeaf(submission: Submission, outcome: SubmissionOutcome): Leaf {
  return {
    kind: `submission-${outcome.state}`,
    schema: 1,
    submissionId: submission.id,
    sequence: submission.sequence,
    manifest: messageToJson('Submission', submissionMessage(submission.manifest)),
    signature: submission.signature,
    receivedAt: submission.receivedAt,
    decidedAt: outcome.decidedAt,
    acceptedRecords: outcome.accepted,
    acceptedRoot: outcome.acceptedRoot,
    refusedRecords: outcome.refused,
    reasons: outcome.reasons.map(reason => reason.code),
  }
}

export function vouchLeaf({ governor, account, level, nonce, signature }: Vouch): Leaf {
  return { kind: 'vouch', schema: 1, message: { governor, account, level, nonce }, signature }
}

/** What the log says of a frozen dataset: also made from what the interface answers, to find the leaf again. */
export function frozenDatasetLeaf({
  id,
  manifest,
}: {
  readonly id: string
  readonly manifest: Readonly<
    Record<'datanetId' | 'trainRoot' | 'devRoot', string> &
      Record<'logSize' | 'trainRecords' | 'devRecords', number>
  >
}): Leaf {
  const { datanetId, logSize, trainRoot, devRoot, trainRecords, devRecords } = manifest
  return {
    kind: 'frozen-dataset',
    schema: 1,
    datasetId: id,
    datanetId,
    logSize,
    trainRoot,
    devRoot,
    trainRecords,
    devRecords,
  }
}

/** Leaf 0: the facts of the deployment and the keys that sign for it. Keys change later by a logged rotation only. */
export function genesisLeaf(
  genesis: Genesis,
  signers: { receipt: string; warrant: string; payout: string; logHead: string },
): Leaf {
  const { deploymentId, stage, chainId, gOpen, openToken, rewardClaims, governors, rules, rehearsal } =
    genesis
  return {
    kind: 'genesis',
    schema: 1,
    deploymentId,
    stage,
    chainId,
    gOpen,
    openToken,
    rewardClaims,
    governors: { addresses: [...governors.addresses], threshold: governors.threshold },
    rules,
    rulesDigest: rulesDigest(rules),
    rehearsal,
    signers,
  }
}
