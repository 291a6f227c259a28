/**
 * The record proof: one file with which anybody shows, without asking the service, that a record is or is not
 * in a frozen dataset, in which part, and who signed it. It reveals the salt of this record and no other.
 */
import { OpenLedgerError } from '../errors.ts'
import type { JsonValue } from './canonical-json.ts'
import { bytesToDigits, hexToBytes, type Sha256Hex } from './hex.ts'
import { type Hash, inclusionProof, levelsReader, treeLevels } from './merkle-log.ts'
import { type DatasetPart, datasetPart, recordHash, recordSalt } from './record-hash.ts'
import type { Genesis } from './typed-data.ts'

/** Proof that an entry is in the log, as the service answers it. */
export type LogProof = {
  readonly leafHash: Sha256Hex
  readonly index: number
  /** The entry as it was logged: canonical JSON. */
  readonly entry: string
  /** Hashes of the neighbors from the leaf up. */
  readonly proof: readonly Sha256Hex[]
  /** The signed head that the proof leads to. */
  readonly checkpoint: string
}

/** A record hash's place in a tree of record hashes. */
type Place = {
  readonly position: number
  readonly size: number
  readonly proof: readonly Sha256Hex[]
}
type Neighbor = { readonly hash: Sha256Hex; readonly position: number; readonly proof: readonly Sha256Hex[] }
/** Proven membership in a part, or proven absence by the two neighbors in sorted order. */
type Membership =
  | { readonly member: true; readonly position: number; readonly proof: readonly Sha256Hex[] }
  | { readonly member: false; readonly left: Neighbor | null; readonly right: Neighbor | null }

export type RecordProof = {
  readonly kind: 'record-proof'
  readonly schema: 1
  readonly genesis: Genesis
  readonly record: JsonValue
  /** Line of the uploaded object, from 0. */
  readonly index: number
  readonly salt: Sha256Hex
  readonly recordHash: Sha256Hex
  readonly submission: {
    readonly logProof: LogProof
    /** Under the root that the contributor signed; null when nobody gave the hashes of the whole upload. */
    readonly signed: Place | null
    /** Under the root of the accepted records; null when the record was not accepted. */
    readonly accepted: Place | null
  }
  readonly dataset: {
    readonly manifest: JsonValue
    readonly logProof: LogProof
    readonly train: Membership
    readonly dev: Membership
  } | null
}

const toDigits = (hashes: readonly Hash[]) => hashes.map(hash => bytesToDigits(hash) as Sha256Hex)

/** Place of a hash in the tree over `hashes` in their order. @throws OpenLedgerError not-found */
function placeOf(hash: Sha256Hex, hashes: readonly Sha256Hex[]): Place {
  const position = hashes.indexOf(hash)
  if (position < 0) throw new OpenLedgerError('not-found', 'the record is not in this list', { seen: hash })
  const node = levelsReader(treeLevels(hashes.map(hexToBytes)))
  return { position, size: hashes.length, proof: toDigits(inclusionProof(position, hashes.length, node)) }
}

/** Membership or absence of a hash in a part. */
function membershipIn(part: DatasetPart, hash: Sha256Hex): Membership {
  const size = part.hashes.length
  const proofAt = (position: number) => toDigits(inclusionProof(position, size, part.node))
  // First position whose hash is not below: binary search, lower-case hex sorts as bytes do.
  let low = 0
  for (let high = size; low < high; ) {
    const middle = Math.floor((low + high) / 2)
    if (part.hashes[middle]! < hash) low = middle + 1
    else high = middle
  }
  if (part.hashes[low] === hash) return { member: true, position: low, proof: proofAt(low) }
  const neighbor = (position: number): Neighbor | null =>
    position < 0 || position >= size
      ? null
      : { hash: part.hashes[position]!, position, proof: proofAt(position) }
  return { member: false, left: neighbor(low - 1), right: neighbor(low) }
}

/**
 * The proof file of one record. The hash lists are those of the upload's records (in their order), of its
 * accepted records and of the dataset's parts (in any order).
 * @throws OpenLedgerError not-found when the record is not where the arguments say
 */
export function recordProof(facts: {
  genesis: Genesis
  record: JsonValue
  index: number
  /** The submission's seed; only the salt of this record leaves this function. */
  seed: Uint8Array
  submission: {
    logProof: LogProof
    uploadedHashes: readonly Sha256Hex[] | null
    acceptedHashes: readonly Sha256Hex[] | null
  }
  dataset: {
    manifest: JsonValue
    logProof: LogProof
    trainHashes: readonly Sha256Hex[]
    devHashes: readonly Sha256Hex[]
  } | null
}): RecordProof {
  const { genesis, record, index, submission, dataset } = facts
  const salt = recordSalt(facts.seed, index)
  const hash = recordHash(salt, record)
  const { uploadedHashes, acceptedHashes } = submission
  return {
    kind: 'record-proof',
    schema: 1,
    genesis: { chainId: genesis.chainId, gOpen: genesis.gOpen, deploymentId: genesis.deploymentId },
    record,
    index,
    salt: bytesToDigits(salt) as Sha256Hex,
    recordHash: hash,
    submission: {
      logProof: submission.logProof,
      signed: uploadedHashes === null ? null : placeOf(hash, uploadedHashes),
      accepted: acceptedHashes === null ? null : placeOf(hash, datasetPart(acceptedHashes).hashes),
    },
    dataset:
      dataset === null
        ? null
        : {
            manifest: dataset.manifest,
            logProof: dataset.logProof,
            train: membershipIn(datasetPart(dataset.trainHashes), hash),
            dev: membershipIn(datasetPart(dataset.devHashes), hash),
          },
  }
}
