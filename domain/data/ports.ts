import type { DatanetTerms } from '../../api/schemas/governance.ts'
import type { SignedReceipt } from '../governance/receipt.ts'
import type { Address, Bytes32, Hex, Sha256Hex } from '../protocol/hex.ts'
import type { Frontier } from '../protocol/merkle-log.ts'
import type { CopyKeys } from './copies.ts'
import type { IntakeProgress, Refusal, Submission, SubmissionOutcome } from './submission.ts'

/** A leaf as the areas hand it to the log: a plain document that says its kind. */
export type Leaf = { readonly kind: string; readonly [field: string]: unknown }

export type LogEntry = { readonly bytes: Uint8Array; readonly leafHash: Sha256Hex }

/** The signed head that was published last. `frontier` is of its size, so that the next one can only extend it. */
export type PublishedHead = { readonly frontier: Frontier; readonly note: string }

/** Waits before try `round` (from 1) of a write that others were faster with: longer each time, at random. */
export type Pause = (round: number) => Promise<void>

/** The log's entries and heads. `append` is one transaction, so the log has one order whoever appends. */
export type LogBook = {
  head(): Promise<Frontier>
  indexOf(leafHash: Sha256Hex): Promise<number | null>
  /** Writes entries and the new head if `before` is still the head and no entry is in the log already. */
  append(before: Frontier, entries: readonly LogEntry[], after: Frontier): Promise<'appended' | 'changed'>
  /** The entries [start, end), which must be in the log. */
  entries(start: number, end: number): Promise<Uint8Array[]>
  published(): Promise<PublishedHead | null>
  /** False when another publisher was first. */
  recordPublished(before: PublishedHead | null, after: PublishedHead): Promise<boolean>
}

/** What other areas see of the log: append a leaf, learn its index. The same leaf twice has one index. */
export type Log = { append(leaf: Leaf): Promise<{ index: number }> }

/** An Ed25519 key (RFC 8032): the raw public key, and signatures over messages. */
export type MessageSigner = {
  publicKey(): Promise<Uint8Array>
  sign(message: Uint8Array): Promise<Uint8Array>
}

export type Datanet = {
  readonly id: Bytes32
  readonly terms: DatanetTerms
  readonly proposalId: Bytes32
  readonly openedAt: number
  /** null between the two writes of the opening. */
  readonly logIndex: number | null
}

export type DatanetBook = {
  get(id: Bytes32): Promise<Datanet | null>
  /** Keeps the first and answers with what is kept. */
  keep(datanet: Datanet): Promise<Datanet>
  recordLogIndex(id: Bytes32, logIndex: number): Promise<void>
  list(page: Page): Promise<{ items: Datanet[]; cursor: string | null }>
}

/** Counts of a Datanet; kept beside the submissions and never needed for a decision. */
export type DatanetCounts = {
  readonly submissions: number
  readonly outcomes: Readonly<Record<SubmissionOutcome['state'], number>>
  readonly acceptedRecords: number
  readonly refusedRecords: Readonly<Record<string, number>>
}

type Page = { readonly cursor?: string | undefined; readonly limit?: number | undefined }

export type SubmissionBook = {
  /** Gives a new submission the next sequence of its Datanet; one that is known stays as it is. */
  register(submission: Omit<Submission, 'sequence'>): Promise<Submission>
  get(id: Bytes32): Promise<Submission | null>
  /** Newest first. */
  list(datanetId: Bytes32, page: Page): Promise<{ items: Submission[]; cursor: string | null }>
  /** Every submission of the Datanet that was registered before the call, by sequence. */
  all(datanetId: Bytes32): AsyncIterable<Submission>
  counts(datanetId: Bytes32): Promise<DatanetCounts>
  /** Sets the first instant of arrival and answers with the one that stands. */
  recordReceived(id: Bytes32, receivedAt: number): Promise<number>
  progress(id: Bytes32): Promise<IntakeProgress>
  /** The first `limit` refused lines, by line. */
  refusals(id: Bytes32, limit: number): Promise<Refusal[]>
  /** Sets the outcome once, with the Datanet's counts, and answers with the one that stands. */
  recordOutcome(submission: Submission, outcome: SubmissionOutcome): Promise<SubmissionOutcome>
  recordLogIndex(id: Bytes32, logIndex: number): Promise<void>
  recordReceipt(id: Bytes32, receipt: SignedReceipt): Promise<void>
}

/** An accepted record as copies are looked for: place of first acceptance and what is compared. */
export type KeptRecord = {
  readonly submissionId: Bytes32
  readonly sequence: number
  /** Position in the submission, from 0. */
  readonly index: number
  readonly keys: Omit<CopyKeys, 'bands'>
}
export type NewRecord = { readonly index: number; readonly keys: CopyKeys }

/** What the store knows about some records, read consistently, and what must still hold when they are kept. */
export type CopyView = {
  /** The record that has this exact or normalized digest. */
  first(digest: Sha256Hex): KeptRecord | undefined
  /** Records that share bands with these, most shared bands first. */
  candidates(bands: readonly string[]): readonly KeptRecord[]
  /** How many accepted records give this answer. */
  answerUses(answer: Sha256Hex): number
  /** Records of this account that were accepted in the Datanet. */
  acceptedOfAccount: number
}

export type RecordBook = {
  look(submission: Submission, records: readonly NewRecord[]): Promise<CopyView>
  /**
   * Keeps decided lines in one transaction: accepted records with all their keys, refusals, the account's
   * count and the progress. `changed` when anything that `view` showed, or the progress, is different now.
   */
  keep(
    view: CopyView,
    decided: {
      readonly submission: Submission
      readonly before: IntakeProgress
      readonly after: IntakeProgress
      readonly accepted: readonly NewRecord[]
      readonly refusals: readonly Refusal[]
      /** True where the account's count decided: then it must be the one that was read. */
      readonly isCapped: boolean
    },
  ): Promise<'kept' | 'changed'>
  /** Indexes of a submission's accepted records, in order. */
  acceptedIndexes(submission: Submission): Promise<number[]>
}

export type Vouch = {
  readonly governor: Address
  readonly account: Address
  /** 0 takes an earlier vouch back, 1 a contributor, 2 a validator too. */
  readonly level: number
  readonly nonce: number
  readonly signature: Hex
  readonly receivedAt: number
  readonly logIndex: number | null
}

export type AccountBook = {
  /** Keeps a vouch; the same governor and nonce again stays as it is, and that one is answered. */
  keepVouch(vouch: Vouch): Promise<Vouch>
  recordVouchLogIndex(vouch: Vouch, logIndex: number): Promise<void>
  vouches(account: Address): Promise<Vouch[]>
  /** Accounts that governors vouched for as validators, sorted. */
  validators(): Promise<Address[]>
}

export type UploadTicket = {
  readonly method: 'PUT'
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
  readonly expiresAt: number
}

/** Objects as contributors upload them. */
export type Uploads = {
  /** A URL that takes exactly the signed bytes, once, until the deadline. */
  ticket(submission: Submission, now: number): Promise<UploadTicket>
  /** The object as a stream, null when nothing arrived. With `tag` only that very version of the bytes. */
  open(
    submissionId: Bytes32,
    tag?: string,
  ): Promise<{ readonly chunks: AsyncIterable<Uint8Array>; readonly tag: string } | null>
}

/** Whole objects of one bucket. */
export type ObjectStore = {
  put(key: string, bytes: Uint8Array, contentType: string): Promise<void>
  get(key: string): Promise<Uint8Array | null>
  exists(key: string): Promise<boolean>
}

/** A frozen dataset as it is published. Its id is the keccak256 of this document. */
export type DatasetManifest = {
  readonly schema: 1
  readonly deploymentId: Bytes32
  readonly datanetId: Bytes32
  /** Leaves of the log that count: outcomes of submissions and vouches below this size. */
  readonly logSize: number
  readonly trainRoot: Sha256Hex
  readonly devRoot: Sha256Hex
  readonly trainRecords: number
  readonly devRecords: number
  readonly leftOutRecords: number
  readonly splitBy: 'contributor' | 'group' | 'key' | 'none'
  readonly rules: {
    readonly devSharePpm: number
    readonly maxRecordsPerUnvettedAccount: number
    readonly maxUnvettedSharePpm: number
  }
  /** Records of train by contributor. */
  readonly contributors: Readonly<Record<Address, number>>
  readonly estimatedCostUsdMicro: number
}
export type FrozenDatasetRecord = {
  readonly id: Bytes32
  readonly manifest: DatasetManifest
  readonly frozenAt: number
  readonly logIndex: number | null
}

export type DatasetBook = {
  get(id: Bytes32): Promise<FrozenDatasetRecord | null>
  /** The dataset of a Datanet at a log size, if it was frozen. */
  at(datanetId: Bytes32, logSize: number): Promise<FrozenDatasetRecord | null>
  /** Keeps the first of a Datanet and log size and answers with what is kept. */
  keep(dataset: FrozenDatasetRecord): Promise<FrozenDatasetRecord>
  recordLogIndex(dataset: FrozenDatasetRecord, logIndex: number): Promise<void>
}
