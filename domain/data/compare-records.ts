import { OpenLedgerError } from '../errors.ts'
import type { Genesis } from '../governance/genesis.ts'
import type { Bytes32 } from '../protocol/hex.ts'
import { type CopyFinding, type CopyKeys, copyKeys, findCopy } from './copies.ts'
import { evaluationQuestions } from './evaluation-sets.ts'
import { isLeaked, limitsOf, requiredDatanet } from './inspect-submission.ts'
import type {
  AccountBook,
  CopyView,
  DatanetBook,
  KeptRecord,
  NewRecord,
  ObjectStore,
  Pause,
  RecordBook,
  SubmissionBook,
  Uploads,
} from './ports.ts'
import { type ParsedLine, parseRecords } from './record-profile.ts'
import { recordQuality } from './record-quality.ts'
import { requiredSubmission } from './register-submission.ts'
import type { IntakeProgress, Refusal, Submission } from './submission.ts'
import { isVouched } from './vouch-account.ts'

/** DynamoDB takes 100 items a transaction; beside the records go progress, refusals and the account's count. */
const MAX_ITEMS_PER_BATCH = 96
/** A record's items beside its bands: two digests, the record, its answer. */
const ITEMS_PER_RECORD = 4
/** A refusal is at most about 700 bytes in an item of at most 400 kB. */
const MAX_LINES_PER_BATCH = 400
/** Submissions that meet in a band take turns; each round one of them is through. */
const MAX_ROUNDS = 60

export type CompareRecordsDeps = {
  readonly genesis: Genesis
  readonly datanets: DatanetBook
  readonly submissions: SubmissionBook
  readonly records: RecordBook
  readonly accounts: AccountBook
  readonly artifacts: Pick<ObjectStore, 'get'>
  readonly uploads: Pick<Uploads, 'open'>
  readonly pause: Pause
}

/**
 * Decides every line of an inspected object: shape, quality, contamination, copies within the Datanet, and the
 * cap of accounts that nobody vouched for. Lines are kept in small transactions, each of which holds only if
 * nothing that it was decided on has changed, so two submissions with the same record never both have it
 * accepted, and a run that died goes on where it stopped. First is who comes first through intake.
 * @returns `isDone` false when `shouldStop` said so or another run of this submission went ahead: call again
 * @throws OpenLedgerError not-found; unavailable (retry)
 */
export async function compareRecords(
  deps: CompareRecordsDeps,
  input: { submissionId: Bytes32; tag: string; shouldStop: () => boolean },
): Promise<{ isDone: boolean }> {
  const submission = await requiredSubmission(deps.submissions, input.submissionId)
  let progress = await deps.submissions.progress(submission.id)
  if (submission.outcome !== null || progress.isDone) return { isDone: true }
  const { terms } = await requiredDatanet(deps.datanets, submission.manifest.datanetId)
  const questions = await evaluationQuestions(deps, terms)
  const vouched = await isVouched(deps, submission.manifest.contributor)
  const cap = vouched ? null : terms.maxRecordsPerUnvettedAccount
  const upload = await deps.uploads.open(submission.id, input.tag)
  if (upload === null) throw new OpenLedgerError('unavailable', 'The inspected upload is not there')

  for await (const batch of batches(upload.chunks, terms, progress.nextLine, questions)) {
    const after = await keepBatch(deps, { submission, progress, batch, cap })
    if (after === null) return { isDone: false }
    progress = after
    if (!progress.isDone && input.shouldStop()) return { isDone: false }
  }
  return { isDone: true }
}

type Judged =
  | { readonly line: number; readonly record: NewRecord }
  | { readonly line: number; readonly refusal: Refusal }
type Batch = { readonly lines: readonly Judged[]; readonly isLast: boolean }

/** Lines from `fromLine` on, judged by what needs no store, in batches that fit a transaction. */
async function* batches(
  chunks: AsyncIterable<Uint8Array>,
  terms: Parameters<typeof limitsOf>[0] & { recordProfile: Parameters<typeof parseRecords>[1] },
  fromLine: number,
  questions: ReadonlySet<string>,
): AsyncGenerator<Batch> {
  let lines: Judged[] = []
  let items = 0
  for await (const parsed of parseRecords(chunks, terms.recordProfile, limitsOf(terms))) {
    if (parsed.line < fromLine) continue
    const judged = judgeLine(parsed, questions)
    const needs = 'record' in judged ? judged.record.keys.bands.length + ITEMS_PER_RECORD : 0
    if (lines.length === MAX_LINES_PER_BATCH || items + needs > MAX_ITEMS_PER_BATCH) {
      yield { lines, isLast: false }
      lines = []
      items = 0
    }
    lines.push(judged)
    items += needs
  }
  yield { lines, isLast: true }
}

function judgeLine(parsed: ParsedLine, questions: ReadonlySet<string>): Judged {
  const { line } = parsed
  if (!parsed.ok) {
    const { code, expected, seen } = parsed
    return { line, refusal: { line, code, expected, seen } }
  }
  const quality = recordQuality(parsed.record)
  const worst = quality.findings.toSorted((left, right) => right.costPpm - left.costPpm)[0]
  if (!quality.accepted && worst !== undefined) {
    return { line, refusal: { line, code: worst.code, expected: worst.expected, seen: worst.seen } }
  }
  if (isLeaked(parsed.record, questions)) {
    const expected = 'a question that no evaluation set of this Datanet asks'
    return { line, refusal: { line, code: 'contamination', expected, seen: 'one that is asked there' } }
  }
  return { line, record: { index: parsed.index, keys: copyKeys(parsed.record) } }
}

/** Keeps one batch; null when another run of this submission has gone on. */
async function keepBatch(
  deps: Pick<CompareRecordsDeps, 'records' | 'submissions' | 'pause'>,
  given: { submission: Submission; progress: IntakeProgress; batch: Batch; cap: number | null },
): Promise<IntakeProgress | null> {
  const { submission, progress: before, batch, cap } = given
  const candidates = batch.lines.flatMap(judged => ('record' in judged ? [judged.record] : []))
  for (let round = 0; round < MAX_ROUNDS; round++) {
    if (round > 0) await deps.pause(round)
    const view = await deps.records.look(submission, candidates)
    const { accepted, refusals } = decideBatch(submission, batch.lines, view, cap)
    const after = progressAfter(before, batch, accepted.length, refusals)
    const decided = { submission, before, after, accepted, refusals, isCapped: cap !== null }
    if ((await deps.records.keep(view, decided)) === 'kept') return after
    const now = await deps.submissions.progress(submission.id)
    if (now.nextLine !== before.nextLine || now.isDone !== before.isDone) return null
  }
  throw new OpenLedgerError('unavailable', 'Too many submissions with the same records at this moment')
}

/** Decides lines in order, each against the store and against those before it in the batch. */
function decideBatch(
  submission: Submission,
  lines: readonly Judged[],
  view: CopyView,
  cap: number | null,
): { accepted: NewRecord[]; refusals: Refusal[] } {
  const accepted: NewRecord[] = []
  const refusals: Refusal[] = []
  for (const judged of lines) {
    if ('refusal' in judged) {
      refusals.push(judged.refusal)
      continue
    }
    const { keys } = judged.record
    const copied = findFirst(
      keys,
      [...accepted.map(record => own(submission, record)), ...kept(view, keys)],
      uses(keys),
    )
    if (copied !== undefined) refusals.push(copyRefusal(submission, judged.line, copied))
    else if (cap !== null && view.acceptedOfAccount + accepted.length >= cap) {
      const expected = `at most ${cap} records of an account that no governor vouched for`
      refusals.push({
        line: judged.line,
        code: 'unvetted-account-cap',
        expected,
        seen: `${cap} accepted already`,
      })
    } else accepted.push(judged.record)
  }
  return { accepted, refusals }

  function uses(keys: CopyKeys): number {
    return view.answerUses(keys.answer) + accepted.filter(record => record.keys.answer === keys.answer).length
  }
}

function kept(view: CopyView, keys: CopyKeys): KeptRecord[] {
  const first = [view.first(keys.exact), view.first(keys.normalized)]
  return [...first.filter(record => record !== undefined), ...view.candidates(keys.bands)]
}

function own(submission: Submission, record: NewRecord): KeptRecord {
  return { submissionId: submission.id, sequence: submission.sequence, ...record }
}

function findFirst(keys: CopyKeys, earlier: readonly KeptRecord[], answerUses: number) {
  for (const record of earlier) {
    // Only what is compared is stored; bands are how it was found.
    const finding = findCopy(keys, { ...record.keys, bands: [] }, answerUses)
    if (finding !== undefined) return { record, finding }
  }
  return undefined
}

/** Names the first only where that tells nothing about another's data: the very same record, or one's own. */
function copyRefusal(
  submission: Submission,
  line: number,
  { record, finding }: { record: KeptRecord; finding: CopyFinding },
): Refusal {
  const isTold = finding.kind === 'exact' || record.submissionId === submission.id
  const where = isTold
    ? `line ${record.index + 1} of submission ${record.submissionId}`
    : 'a record of this Datanet'
  return {
    line,
    code: `${finding.kind}-copy`,
    expected: 'a record that is new in this Datanet',
    seen: finding.kind === 'near' ? `${finding.similarityPpm} ppm like ${where}` : `the same as ${where}`,
    ...(isTold ? { copyOf: { submissionId: record.submissionId, line: record.index + 1 } } : {}),
  }
}

function progressAfter(
  before: IntakeProgress,
  batch: Batch,
  accepted: number,
  refusals: readonly Refusal[],
): IntakeProgress {
  const refused: Record<string, number> = { ...before.refused }
  for (const { code } of refusals) refused[code] = (refused[code] ?? 0) + 1
  return {
    nextLine: (batch.lines.at(-1)?.line ?? before.nextLine - 1) + 1,
    accepted: before.accepted + accepted,
    refused,
    isDone: batch.isLast,
  }
}
