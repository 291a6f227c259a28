/**
 * Record hashes and the roots over them. A record's hash is salted, so that the public log does not let
 * anybody test guesses about a record; a proof reveals the salt of one record only, and once the submission's
 * seed is destroyed by a revocation, no salt can be made again.
 */
import { createHmac } from 'node:crypto'
import { OpenLedgerError } from '../errors.ts'
import { canonicalBytes } from './canonical-json.ts'
import { bytesToDigits, compareBytes, hexToBytes, type Sha256Hex } from './hex.ts'
import { sha256 } from './ids.ts'
import { type Hash, levelsReader, type NodeReader, root, treeLevels } from './merkle-log.ts'

/** The seed that the contributor's client draws for a submission, in bytes. */
const SEED_BYTES = 32
const RECORD_PREFIX = Uint8Array.of(0)

/**
 * Salt of record `index` (counted from 0 over the lines of the uploaded object): HMAC-SHA256 (RFC 2104) with
 * the seed as key over the index as big-endian uint64. @throws OpenLedgerError malformed
 */
export function recordSalt(seed: Uint8Array, index: number): Uint8Array {
  if (seed.length !== SEED_BYTES || !Number.isSafeInteger(index) || index < 0)
    throw new OpenLedgerError('malformed', 'no such record salt', {
      expected: `a seed of ${SEED_BYTES} bytes and an index from 0`,
      seen: `${seed.length} bytes, index ${index}`,
    })
  const message = new DataView(new ArrayBuffer(8))
  message.setBigUint64(0, BigInt(index))
  return new Uint8Array(createHmac('sha256', seed).update(new Uint8Array(message.buffer)).digest())
}

/**
 * SHA-256(0x00 || salt || canonical JSON of the record). The prefix makes it an RFC 6962 leaf hash of
 * `salt || record`, so roots below need no second hashing.
 */
export function recordHash(salt: Uint8Array, record: unknown): Sha256Hex {
  return bytesToDigits(sha256(RECORD_PREFIX, salt, canonicalBytes(record))) as Sha256Hex
}

const toHashes = (hashes: readonly Sha256Hex[]): Hash[] => hashes.map(hexToBytes)

/** RFC 6962 root over record hashes (as leaf hashes) in the order of the uploaded object. */
export function recordsRoot(hashes: readonly Sha256Hex[]): Sha256Hex {
  return bytesToDigits(root(toHashes(hashes))) as Sha256Hex
}

/** One part (train or dev) of a frozen dataset: the sorted hashes, their root, and a reader for proofs. */
export interface DatasetPart {
  readonly hashes: readonly Sha256Hex[]
  readonly root: Sha256Hex
  readonly node: NodeReader
}

/**
 * The part over these records. Sorted, so that absence can be shown by two neighbors, and so that the root
 * does not tell the order of upload. @throws OpenLedgerError malformed when a hash comes twice
 */
export function datasetPart(hashes: readonly Sha256Hex[]): DatasetPart {
  const sorted = toHashes(hashes).sort(compareBytes)
  const repeated = sorted.findIndex((hash, at) => at > 0 && compareBytes(hash, sorted[at - 1]!) === 0)
  if (repeated > 0)
    throw new OpenLedgerError('malformed', 'a record is in the part twice', {
      seen: bytesToDigits(sorted[repeated]!),
    })
  const levels = treeLevels(sorted)
  return {
    hashes: sorted.map(hash => bytesToDigits(hash) as Sha256Hex),
    root: bytesToDigits(root(sorted)) as Sha256Hex,
    node: levelsReader(levels),
  }
}
