import type { SignedReceipt } from '../governance/receipt.ts'
import type { Address, Bytes32, Hex, Sha256Hex } from '../protocol/hex.ts'
import { sha256ToBytes32 } from '../protocol/hex.ts'
import { keccak256Hex } from '../protocol/ids.ts'
import type { Message } from '../protocol/typed-data.ts'

/** What a contributor signs about one upload, with the texts that the signed message only holds digests of. */
export type Manifest = {
  readonly datanetId: Bytes32
  readonly contributor: Address
  readonly objectDigest: Sha256Hex
  readonly sizeBytes: number
  /** Lines of the object. */
  readonly recordCount: number
  /** Root over the salted hashes of the lines that are records of the profile, in their order. */
  readonly recordsRoot: Sha256Hex
  readonly license: string
  /** The words that the contributor agreed to; the message holds their keccak256. */
  readonly consent: string
  readonly nonce: number
  /** Until then the object may be uploaded. */
  readonly deadline: number
}

/** A reason for the whole object. */
export type Reason = { readonly code: string; readonly expected: string; readonly seen: string }
/** A reason for one line, counted from 1. */
export type Refusal = Reason & {
  readonly line: number
  /** Where the first is, for exact copies and for copies within the own submission. */
  readonly copyOf?: { readonly submissionId: Bytes32; readonly line: number }
}

export type SubmissionOutcome = {
  readonly state: 'accepted' | 'partly-accepted' | 'rejected' | 'quarantined'
  readonly decidedAt: number
  readonly lines: number
  readonly accepted: number
  /** How many lines were refused, by code. */
  readonly refused: Readonly<Record<string, number>>
  readonly reasons: readonly Reason[]
  /** Root over the sorted hashes of the accepted records; null without one. */
  readonly acceptedRoot: Sha256Hex | null
  /** Where the accepted records, or the quarantined bytes, are kept. */
  readonly object: { readonly key: string; readonly sha256: Sha256Hex } | null
}

export type Submission = {
  readonly id: Bytes32
  readonly manifest: Manifest
  readonly signature: Hex
  /** 32 bytes as hex digits; salts of the record hashes are made from it. Secret of contributor and service. */
  readonly seed: string
  /** Position among the submissions of its Datanet, from 1: first come is first registered. */
  readonly sequence: number
  readonly registeredAt: number
  readonly receivedAt: number | null
  readonly outcome: SubmissionOutcome | null
  readonly logIndex: number | null
  readonly receipt: SignedReceipt | null
}

export type SubmissionState = 'registered' | 'expired' | 'in-intake' | SubmissionOutcome['state']

/** The state is never stored: it follows from what happened and the time. */
export function submissionState(submission: Submission, now: number): SubmissionState {
  if (submission.outcome !== null) return submission.outcome.state
  if (submission.receivedAt !== null) return 'in-intake'
  return now > submission.manifest.deadline ? 'expired' : 'registered'
}

/** The EIP-712 message of a manifest. Its digest is the submission's id. */
export function submissionMessage(manifest: Manifest): Message<'Submission'> {
  return {
    datanetId: manifest.datanetId,
    contributor: manifest.contributor,
    objectDigest: sha256ToBytes32(manifest.objectDigest),
    sizeBytes: manifest.sizeBytes,
    recordCount: manifest.recordCount,
    recordsRoot: sha256ToBytes32(manifest.recordsRoot),
    license: manifest.license,
    consent: keccak256Hex(manifest.consent),
    nonce: manifest.nonce,
    deadline: manifest.deadline,
  }
}

/** Where the upload arrives. */
export const incomingKey = (submissionId: Bytes32) => `incoming/${submissionId}`
export const curatedKey = (submission: Pick<Submission, 'id' | 'manifest'>) =>
  `curated/${submission.manifest.datanetId}/${submission.id}.jsonl`
export const quarantineKey = (submissionId: Bytes32) => `quarantine/${submissionId}`

/** How far intake has come with the lines of one object. */
export type IntakeProgress = {
  /** The first line that is not decided. */
  readonly nextLine: number
  readonly accepted: number
  readonly refused: Readonly<Record<string, number>>
  readonly isDone: boolean
}
export const NO_PROGRESS: IntakeProgress = { nextLine: 1, accepted: 0, refused: {}, isDone: false }
