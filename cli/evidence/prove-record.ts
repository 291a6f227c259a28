import * as z from 'zod'
import type { Client } from '../../api/client.ts'
import { frozenDatasetLeaf } from '../../domain/data/leaves.ts'
import { readUpload } from '../../domain/data/read-upload.ts'
import { INTAKE_LIMITS } from '../../domain/data/record-profile.ts'
import { OpenLedgerError } from '../../domain/errors.ts'
import {
  type Bytes32,
  hexToBytes,
  parseBytes32,
  parseSha256Hex,
  type Sha256Hex,
} from '../../domain/protocol/hex.ts'
import { datasetPart, recordHash, recordSalt } from '../../domain/protocol/record-hash.ts'
import { type LogProof, type RecordProof, recordProof } from '../../domain/protocol/record-proof.ts'
import type { Genesis } from '../../domain/protocol/typed-data.ts'
import { parseJson, readText, writeNew } from '../files.ts'
import { logProofOf } from './fetch-evidence.ts'

/** What `upload --keep` leaves: the submission, and the secret from which its records' salts are made. */
const keptSeed = z.object({
  kind: z.literal('upload-seed'),
  schema: z.literal(1),
  submissionId: z.string(),
  seed: z.string().regex(/^[0-9a-f]{64}$/, 'expected 64 hex digits'),
})
export type KeptSeed = { readonly submissionId: Bytes32; readonly seed: string }

/** For the owner's eyes only. @throws OpenLedgerError conflict */
export function keepSeed(file: string, { submissionId, seed }: KeptSeed): void {
  const kept = { kind: 'upload-seed', schema: 1, submissionId, seed }
  writeNew(file, `${JSON.stringify(kept, null, 2)}\n`, 0o600)
}

/** @throws OpenLedgerError not-found, malformed; never with what the file holds */
export function readSeed(file: string): KeptSeed {
  const what = 'what `upload --keep` wrote'
  const outcome = keptSeed.safeParse(parseJson(readText(file, what), file, what))
  if (!outcome.success)
    throw new OpenLedgerError('malformed', `${file} holds no seed`, {
      expected: what,
      seen: outcome.error.issues[0]?.path.join('.') || 'another shape',
    })
  return { submissionId: parseBytes32(outcome.data.submissionId), seed: outcome.data.seed }
}

/**
 * The proof that the record on a line (from 1) of an uploaded file is, or is not, in a frozen dataset, and that it
 * was signed and accepted. It reveals the salt of this record and of no other.
 * @throws ApiError; OpenLedgerError not-found for a line that holds no record, digest-mismatch for another file
 */
export async function proveRecord(
  deployment: { client: Client; bound: Genesis },
  input: { jsonl: string; line: number; kept: KeptSeed; datasetId: string | undefined },
): Promise<RecordProof> {
  const { client, bound } = deployment
  const { kept, line } = input
  const seed = hexToBytes(kept.seed)
  const records: { index: number; record: unknown; hash: Sha256Hex }[] = []
  const bytes = new TextEncoder().encode(input.jsonl)
  const facts = await readUpload([bytes], 'instruction', INTAKE_LIMITS, kept.seed, parsed => {
    if (!parsed.ok) return
    const { index, record } = parsed
    records.push({ index, record, hash: recordHash(recordSalt(seed, index), record) })
  })
  const submission = await client.call('getSubmission', { params: { id: kept.submissionId } })
  if (facts.objectDigest !== submission.objectDigest)
    throw new OpenLedgerError('digest-mismatch', 'This is not the file that was uploaded', {
      expected: `the bytes with SHA-256 ${submission.objectDigest}`,
      seen: facts.objectDigest,
    })
  const found = records.find(one => one.index === line - 1)
  if (found === undefined)
    throw new OpenLedgerError('not-found', 'There is no record on this line', {
      expected: `a line from 1 to ${facts.recordCount} that is a record of the Datanet's profile`,
      seen: `line ${line}`,
    })
  const refused = new Set(submission.refusals.map(one => one.line))
  const accepted = records.filter(one => !refused.has(one.index + 1)).map(one => one.hash)
  // The list of refused lines is cut when it is long: then which were accepted is not known here.
  const isWhole = submission.acceptedRoot !== null && datasetPart(accepted).root === submission.acceptedRoot
  const logProof = asLogProof(await client.call('getSubmissionProof', { params: { id: kept.submissionId } }))
  return recordProof({
    genesis: bound,
    record: found.record as RecordProof['record'],
    index: found.index,
    seed,
    submission: {
      logProof,
      uploadedHashes: records.map(one => one.hash),
      acceptedHashes: isWhole && accepted.includes(found.hash) ? accepted : null,
    },
    dataset: input.datasetId === undefined ? null : await frozenDataset(client, input.datasetId),
  })
}

async function frozenDataset(client: Client, id: string) {
  const { manifest, files } = await client.call('getFrozenDataset', { params: { id } })
  const logProof = await logProofOf(client, frozenDatasetLeaf({ id, manifest }))
  if (logProof === null)
    throw new OpenLedgerError('not-found', 'The frozen dataset is not in the log', {
      expected: `a leaf of the dataset ${id}`,
      seen: 'no such entry',
    })
  const hashes = async (key: string) => {
    const text = new TextDecoder().decode(await client.call('getFile', { params: { key } }))
    return text.split('\n').flatMap(row => (row === '' ? [] : [parseSha256Hex(row)]))
  }
  return {
    manifest,
    logProof: asLogProof(logProof),
    trainHashes: await hashes(files.trainHashes),
    devHashes: await hashes(files.devHashes),
  }
}

function asLogProof(proof: {
  leafHash: string
  index: number
  entry: string
  proof: string[]
  checkpoint: string
}): LogProof {
  return { ...proof, leafHash: parseSha256Hex(proof.leafHash), proof: proof.proof.map(parseSha256Hex) }
}
