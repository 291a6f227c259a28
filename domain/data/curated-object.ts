import { OpenLedgerError } from '../errors.ts'
import { canonicalJson } from '../protocol/canonical-json.ts'
import { hexToBytes, type Sha256Hex } from '../protocol/hex.ts'
import { sha256Hex } from '../protocol/ids.ts'
import { recordHash, recordSalt } from '../protocol/record-hash.ts'
import type { DataRecord } from './record-profile.ts'
import type { Submission } from './submission.ts'

/** One accepted record as the curated object keeps it: canonical JSON, one a line, in the order of the upload. */
export type CuratedRecord = {
  /** Position in the uploaded object, from 0: the salt is made from it. */
  readonly index: number
  readonly hash: Sha256Hex
  readonly record: DataRecord
}

export function curatedLine(record: CuratedRecord): string {
  return `${canonicalJson(record)}\n`
}

/**
 * The records of a curated object, each hash made again from the record and the submission's seed.
 * @throws OpenLedgerError dataset-changed when the bytes are not the ones that intake accepted
 */
export function readCurated(submission: Submission, bytes: Uint8Array | null): CuratedRecord[] {
  const expected = submission.outcome?.object?.sha256
  const seen = bytes === null ? 'nothing' : sha256Hex(bytes)
  if (bytes === null || seen !== expected) throw changed(submission, expected ?? 'an accepted object', seen)
  const seed = hexToBytes(submission.seed)
  const lines = Buffer.from(bytes).toString('utf8').split('\n').slice(0, -1)
  return lines.map(line => {
    const curated = JSON.parse(line) as CuratedRecord
    const hash = recordHash(recordSalt(seed, curated.index), curated.record)
    if (hash !== curated.hash) throw changed(submission, curated.hash, hash)
    return curated
  })
}

function changed(submission: Submission, expected: string, seen: string) {
  return new OpenLedgerError('dataset-changed', 'The stored records are not the ones that were accepted', {
    expected: `${expected} of submission ${submission.id}`,
    seen,
  })
}
