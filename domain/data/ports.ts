import type { DatanetTerms } from '../../api/schemas/governance.ts'
import type { Bytes32, Sha256Hex } from '../protocol/hex.ts'
import type { Frontier } from '../protocol/merkle-log.ts'

/** A leaf as the areas hand it to the log: a plain document that says its kind. */
export type Leaf = { readonly kind: string; readonly [field: string]: unknown }

export type LogEntry = { readonly bytes: Uint8Array; readonly leafHash: Sha256Hex }

/** The signed head that was published last. `frontier` is of its size, so that the next one can only extend it. */
export type PublishedHead = { readonly frontier: Frontier; readonly note: string }

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
}
