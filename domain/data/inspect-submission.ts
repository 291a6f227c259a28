import { OpenLedgerError } from '../errors.ts'
import type { Bytes32 } from '../protocol/hex.ts'
import { evaluationQuestions } from './evaluation-sets.ts'
import type { Datanet, DatanetBook, ObjectStore, SubmissionBook, Uploads } from './ports.ts'
import { readUpload, type UploadFacts } from './read-upload.ts'
import { type DataRecord, INTAKE_LIMITS, type IntakeLimits, recordQuestion } from './record-profile.ts'
import { type QualityCode, recordQuality } from './record-quality.ts'
import { requiredSubmission } from './register-submission.ts'
import type { Reason, Submission } from './submission.ts'
import { normalizeText } from './words.ts'

/** Text made to look other than it is, or to be read by machines only. */
const DECEPTIVE: ReadonlySet<QualityCode> = new Set([
  'bidi-control',
  'control-characters',
  'hidden-characters',
  'noncharacter',
])
/** A slip happens in one line of twenty; more looks like an attempt, and a person looks at all of it. */
const QUARANTINE_SHARE = 0.05

export type InspectSubmissionDeps = {
  readonly datanets: DatanetBook
  readonly submissions: SubmissionBook
  readonly artifacts: Pick<ObjectStore, 'get'>
  readonly uploads: Pick<Uploads, 'open'>
}

export type Inspection = {
  /** `decided`: an earlier execution came to an outcome. */
  readonly verdict: 'compare' | 'reject' | 'quarantine' | 'decided'
  readonly reasons: readonly Reason[]
  /** The version of the bytes that was inspected. */
  readonly tag: string
}

/**
 * Reads the whole object once and decides what concerns it as a whole: the signed digest, size, count and root,
 * limits, and whether so many lines deceive or leak evaluation items that a person has to look. Stores nothing
 * but the instant of arrival.
 * @throws OpenLedgerError not-found; unavailable when the bytes or an evaluation set are not there (retry)
 */
export async function inspectSubmission(
  deps: InspectSubmissionDeps,
  input: { submissionId: Bytes32; now: number },
): Promise<Inspection> {
  const submission = await requiredSubmission(deps.submissions, input.submissionId)
  if (submission.outcome !== null) return { verdict: 'decided', reasons: [], tag: '' }
  const datanet = await requiredDatanet(deps.datanets, submission.manifest.datanetId)
  const upload = await deps.uploads.open(submission.id)
  if (upload === null)
    throw new OpenLedgerError('unavailable', 'The upload is not there', { seen: submission.id })
  await deps.submissions.recordReceived(submission.id, input.now)
  const questions = await evaluationQuestions(deps, datanet.terms)
  const facts = await readWhole(upload.chunks, submission, datanet, questions)
  return { ...judge(facts, submission), tag: upload.tag }
}

type Facts = UploadFacts & { readonly deceptive: number; readonly leaked: number }

async function readWhole(
  chunks: AsyncIterable<Uint8Array>,
  { seed }: Submission,
  { terms }: Datanet,
  questions: ReadonlySet<string>,
): Promise<Facts> {
  const counts = { deceptive: 0, leaked: 0 }
  const upload = await readUpload(chunks, terms.recordProfile, limitsOf(terms), seed, parsed => {
    if (!parsed.ok) return
    if (recordQuality(parsed.record).findings.some(finding => DECEPTIVE.has(finding.code))) counts.deceptive++
    if (isLeaked(parsed.record, questions)) counts.leaked++
  })
  return { ...upload, ...counts }
}

function judge(facts: Facts, { manifest }: Submission): Pick<Inspection, 'verdict' | 'reasons'> {
  const reject = (code: string, expected: string, seen: string) =>
    ({ verdict: 'reject', reasons: [{ code, expected, seen }] }) as const
  // The parser stops early at an object beyond the limits, so its digest would say nothing.
  if (facts.whole.length > 0) return { verdict: 'reject', reasons: facts.whole }
  if (facts.sizeBytes !== manifest.sizeBytes || facts.objectDigest !== manifest.objectDigest) {
    return reject(
      'digest-mismatch',
      `${manifest.sizeBytes} bytes with SHA-256 ${manifest.objectDigest}, as signed`,
      `${facts.sizeBytes} bytes with SHA-256 ${facts.objectDigest}`,
    )
  }
  if (facts.recordCount !== manifest.recordCount) {
    return reject('count-mismatch', `${manifest.recordCount} lines, as signed`, `${facts.recordCount}`)
  }
  if (facts.recordsRoot !== manifest.recordsRoot) {
    return reject('root-mismatch', `records root ${manifest.recordsRoot}, as signed`, facts.recordsRoot)
  }
  const suspicions = [
    {
      code: 'deceptive-text',
      seen: facts.deceptive,
      what: 'lines with hidden, control or reordering characters',
    },
    { code: 'sealed-set-leak', seen: facts.leaked, what: 'lines that ask what an evaluation set asks' },
  ].filter(({ seen }) => seen > facts.recordCount * QUARANTINE_SHARE)
  if (suspicions.length === 0) return { verdict: 'compare', reasons: [] }
  return {
    verdict: 'quarantine',
    reasons: suspicions.map(({ code, seen, what }) => ({
      code,
      expected: `at most ${QUARANTINE_SHARE * 100} % ${what}`,
      seen: `${seen} of ${facts.recordCount}`,
    })),
  }
}

/** The limits of this Datanet, never above those of one intake run. */
export function limitsOf(terms: Datanet['terms']): IntakeLimits {
  return {
    ...INTAKE_LIMITS,
    maxObjectBytes: Math.min(terms.maxSubmissionBytes, INTAKE_LIMITS.maxObjectBytes),
  }
}

/** True when the record asks, up to case and punctuation, what an evaluation item asks. */
export function isLeaked(record: DataRecord, questions: ReadonlySet<string>): boolean {
  return questions.has(normalizeText(recordQuestion(record).prompt))
}

/** @throws OpenLedgerError not-found */
export async function requiredDatanet(datanets: DatanetBook, id: Bytes32): Promise<Datanet> {
  const datanet = await datanets.get(id)
  if (datanet === null) throw new OpenLedgerError('not-found', 'There is no such Datanet', { seen: id })
  return datanet
}
