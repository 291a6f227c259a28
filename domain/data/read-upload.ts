import { createHash } from 'node:crypto'
import { bytesToDigits, hexToBytes, type Sha256Hex } from '../protocol/hex.ts'
import { appendLeaf, EMPTY_FRONTIER, frontierRoot } from '../protocol/merkle-log.ts'
import { recordHash, recordSalt } from '../protocol/record-hash.ts'
import { type IntakeLimits, type ParsedLine, parseRecords, type RecordProfile } from './record-profile.ts'
import type { Reason } from './submission.ts'

/** What a manifest says of an object. */
export type UploadFacts = {
  readonly objectDigest: Sha256Hex
  readonly sizeBytes: number
  /** Lines of the object. */
  readonly recordCount: number
  /** Root over the salted hashes of the lines that are records of the profile, in their order. */
  readonly recordsRoot: Sha256Hex
  /** Why the object as a whole cannot be taken. Reading stopped there, so the rest is of a part only. */
  readonly whole: readonly Reason[]
}

/**
 * Reads an object once, as a contributor before signing and intake after the arrival do.
 * @param seed 32 bytes in hex: the salts of the record hashes are made from it
 * @param onLine sees every line in order
 */
export async function readUpload(
  chunks: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
  profile: RecordProfile,
  limits: IntakeLimits,
  seed: string,
  onLine: (parsed: ParsedLine) => void = () => {},
): Promise<UploadFacts> {
  const hash = createHash('sha256')
  let sizeBytes = 0
  const hashed = async function* () {
    for await (const chunk of chunks) {
      hash.update(chunk)
      sizeBytes += chunk.length
      yield chunk
    }
  }
  const seedBytes = hexToBytes(seed)
  const whole: Reason[] = []
  let frontier = EMPTY_FRONTIER
  let recordCount = 0
  for await (const parsed of parseRecords(hashed(), profile, limits)) {
    if (!parsed.ok && parsed.line === 0) {
      whole.push({ code: parsed.code, expected: parsed.expected, seen: parsed.seen })
      continue
    }
    recordCount++
    onLine(parsed)
    if (!parsed.ok) continue
    const salted = recordHash(recordSalt(seedBytes, parsed.index), parsed.record)
    frontier = appendLeaf(frontier, hexToBytes(salted))
  }
  return {
    objectDigest: hash.digest('hex') as Sha256Hex,
    sizeBytes,
    recordCount,
    recordsRoot: bytesToDigits(frontierRoot(frontier)) as Sha256Hex,
    whole,
  }
}
