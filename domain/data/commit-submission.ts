import { OpenLedgerError } from '../errors.ts'
import type { Genesis } from '../governance/genesis.ts'
import type { DigestSigner } from '../governance/ports.ts'
import { type SignedReceipt, signReceipt } from '../governance/receipt.ts'
import { type Bytes32, hexToBytes, type Sha256Hex } from '../protocol/hex.ts'
import { sha256Hex } from '../protocol/ids.ts'
import { datasetPart, recordHash, recordSalt } from '../protocol/record-hash.ts'
import { type CuratedRecord, curatedLine } from './curated-object.ts'
import { type Inspection, limitsOf, requiredDatanet } from './inspect-submission.ts'
import { submissionLeaf } from './leaves.ts'
import type { DatanetBook, Log, ObjectStore, RecordBook, SubmissionBook, Uploads } from './ports.ts'
import { parseRecords } from './record-profile.ts'
import { requiredSubmission } from './register-submission.ts'
import {
  curatedKey,
  type IntakeProgress,
  quarantineKey,
  type Submission,
  type SubmissionOutcome,
} from './submission.ts'

export type CommitSubmissionDeps = {
  readonly datanets: DatanetBook
  readonly submissions: SubmissionBook
  readonly records: RecordBook
  readonly uploads: Pick<Uploads, 'open'>
  readonly data: Pick<ObjectStore, 'put'>
  readonly log: Log
}

/**
 * Ends a submission: keeps its accepted records (or quarantined bytes) as an object, records the outcome once,
 * and logs one leaf for it. The object and the leaf follow from what is stored, so a repeated call, or one
 * after a crash between the writes, ends in the same place.
 * @throws OpenLedgerError not-found; unavailable before every line is decided
 */
export async function commitSubmission(
  deps: CommitSubmissionDeps,
  input: { submissionId: Bytes32; inspection: Inspection; now: number },
): Promise<{ outcome: SubmissionOutcome; logIndex: number }> {
  const submission = await requiredSubmission(deps.submissions, input.submissionId)
  const outcome =
    submission.outcome ??
    (await deps.submissions.recordOutcome(
      submission,
      await outcomeOf(deps, submission, input.inspection, input.now),
    ))
  const { index } = await deps.log.append(submissionLeaf(submission, outcome))
  await deps.submissions.recordLogIndex(submission.id, index)
  return { outcome, logIndex: index }
}

async function outcomeOf(
  deps: CommitSubmissionDeps,
  submission: Submission,
  { verdict, reasons, tag }: Inspection,
  decidedAt: number,
): Promise<SubmissionOutcome> {
  const none = {
    decidedAt,
    lines: submission.manifest.recordCount,
    accepted: 0,
    refused: {},
    acceptedRoot: null,
  }
  switch (verdict) {
    case 'reject':
      return { ...none, state: 'rejected', reasons, object: null }
    case 'quarantine': {
      const bytes = await wholeUpload(deps, submission, tag)
      const key = quarantineKey(submission.id)
      await deps.data.put(key, bytes, 'application/octet-stream')
      return { ...none, state: 'quarantined', reasons, object: { key, sha256: sha256Hex(bytes) } }
    }
    case 'compare':
      return comparedOutcome(deps, submission, tag, decidedAt)
    case 'decided':
      throw new OpenLedgerError('internal', 'A decided submission has no outcome', { seen: submission.id })
  }
}

async function comparedOutcome(
  deps: CommitSubmissionDeps,
  submission: Submission,
  tag: string,
  decidedAt: number,
): Promise<SubmissionOutcome> {
  const progress = await deps.submissions.progress(submission.id)
  if (!progress.isDone) throw new OpenLedgerError('unavailable', 'Not every line is decided yet')
  const { accepted, refused } = progress
  const counts = { decidedAt, lines: submission.manifest.recordCount, accepted, refused, reasons: [] }
  if (accepted === 0) return { ...counts, state: 'rejected', acceptedRoot: null, object: null }
  const curated = await curate(deps, submission, tag)
  requireAll(curated, progress)
  const bytes = Buffer.from(curated.map(curatedLine).join(''), 'utf8')
  const key = curatedKey(submission)
  await deps.data.put(key, bytes, 'application/jsonl')
  return {
    ...counts,
    state: Object.keys(refused).length === 0 ? 'accepted' : 'partly-accepted',
    acceptedRoot: datasetPart(curated.map(record => record.hash)).root,
    object: { key, sha256: sha256Hex(bytes) },
  }
}

async function curate(
  deps: CommitSubmissionDeps,
  submission: Submission,
  tag: string,
): Promise<CuratedRecord[]> {
  const { terms } = await requiredDatanet(deps.datanets, submission.manifest.datanetId)
  const accepted = new Set(await deps.records.acceptedIndexes(submission))
  const seed = hexToBytes(submission.seed)
  const curated: CuratedRecord[] = []
  const upload = await openUpload(deps, submission, tag)
  for await (const parsed of parseRecords(upload, terms.recordProfile, limitsOf(terms))) {
    if (!parsed.ok || !accepted.has(parsed.index)) continue
    const { index, record } = parsed
    curated.push({ index, record, hash: recordHash(recordSalt(seed, index), record) as Sha256Hex })
  }
  return curated
}

function requireAll(curated: readonly CuratedRecord[], progress: IntakeProgress) {
  if (curated.length === progress.accepted) return
  throw new OpenLedgerError('internal', 'The object does not hold the records that were accepted', {
    expected: `${progress.accepted} records`,
    seen: String(curated.length),
  })
}

async function openUpload(deps: Pick<CommitSubmissionDeps, 'uploads'>, submission: Submission, tag: string) {
  const upload = await deps.uploads.open(submission.id, tag)
  if (upload === null) throw new OpenLedgerError('unavailable', 'The inspected upload is not there')
  return upload.chunks
}

async function wholeUpload(deps: Pick<CommitSubmissionDeps, 'uploads'>, submission: Submission, tag: string) {
  const chunks: Uint8Array[] = []
  for await (const chunk of await openUpload(deps, submission, tag)) chunks.push(chunk)
  return Buffer.concat(chunks)
}

/**
 * The receipt of an upload: its id was received then, and is in the log by `includeBy`. Kept, so that it is one.
 * @throws OpenLedgerError not-found; conflict before the upload arrived
 */
export async function receiptOfSubmission(
  deps: { genesis: Genesis; signer: DigestSigner; submissions: SubmissionBook },
  submissionId: Bytes32,
): Promise<SignedReceipt> {
  const submission = await requiredSubmission(deps.submissions, submissionId)
  if (submission.receipt !== null) return submission.receipt
  if (submission.receivedAt === null) {
    throw new OpenLedgerError('conflict', 'Nothing was received for this submission yet', {
      seen: submissionId,
    })
  }
  const receipt = await signReceipt(deps, submission.id, submission.receivedAt)
  await deps.submissions.recordReceipt(submission.id, receipt)
  return receipt
}
