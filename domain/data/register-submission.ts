import { OpenLedgerError } from '../errors.ts'
import type { Genesis } from '../governance/genesis.ts'
import type { Bytes32, Hex } from '../protocol/hex.ts'
import { hashTypedData, normalizeSignature, requireSigner } from '../protocol/typed-data.ts'
import { missingSets } from './evaluation-sets.ts'
import type { Datanet, DatanetBook, ObjectStore, SubmissionBook, Uploads, UploadTicket } from './ports.ts'
import { INTAKE_LIMITS } from './record-profile.ts'
import { type Manifest, type Submission, submissionMessage, submissionState } from './submission.ts'

/** S3 presigns for at most seven days (Signature Version 4). */
const MAX_UPLOAD_WINDOW_MS = 7 * 86_400_000

export type RegisterSubmissionDeps = {
  readonly genesis: Genesis
  readonly datanets: DatanetBook
  readonly submissions: SubmissionBook
  readonly artifacts: Pick<ObjectStore, 'exists'>
  readonly uploads: Pick<Uploads, 'ticket'>
}

/**
 * Registers one signed upload and answers where to put its bytes. The id is the digest that was signed, so the
 * same manifest again is the same submission with a fresh URL; null instead of one when the bytes are there.
 * @throws OpenLedgerError not-found, datanet-not-open, license-not-allowed, too-large, malformed (deadline),
 * bad-signature, wrong-signer
 */
export async function registerSubmission(
  deps: RegisterSubmissionDeps,
  input: { manifest: Manifest; seed: string; signature: string; receivedAt: number },
): Promise<{ submission: Submission; ticket: UploadTicket | null }> {
  const { manifest, receivedAt: now } = input
  const datanet = await deps.datanets.get(manifest.datanetId)
  if (datanet === null) {
    throw new OpenLedgerError('not-found', 'There is no such Datanet', { seen: manifest.datanetId })
  }
  requireFits(manifest, datanet, now)
  const message = submissionMessage(manifest)
  requireSigner(deps.genesis, 'Submission', message, input.signature, manifest.contributor)
  await requireOpen(deps, datanet)
  const submission = await deps.submissions.register({
    id: hashTypedData(deps.genesis, 'Submission', message),
    manifest,
    seed: input.seed,
    signature: normalizeSignature(input.signature) as Hex,
    registeredAt: now,
    receivedAt: null,
    outcome: null,
    logIndex: null,
    receipt: null,
  })
  const waits = submissionState(submission, now) === 'registered'
  return { submission, ticket: waits ? await deps.uploads.ticket(submission, now) : null }
}

function requireFits(manifest: Manifest, { terms }: Datanet, now: number) {
  if (!terms.licenses.includes(manifest.license)) {
    throw new OpenLedgerError('license-not-allowed', 'This Datanet does not take that license', {
      expected: terms.licenses.join(', '),
      seen: manifest.license,
    })
  }
  const maxBytes = Math.min(terms.maxSubmissionBytes, INTAKE_LIMITS.maxObjectBytes)
  if (manifest.sizeBytes > maxBytes || manifest.recordCount > INTAKE_LIMITS.maxRecords) {
    throw new OpenLedgerError('too-large', 'The submission is larger than this Datanet takes; split it', {
      expected: `at most ${maxBytes} bytes and ${INTAKE_LIMITS.maxRecords} records`,
      seen: `${manifest.sizeBytes} bytes, ${manifest.recordCount} records`,
    })
  }
  if (manifest.deadline <= now || manifest.deadline > now + MAX_UPLOAD_WINDOW_MS) {
    throw new OpenLedgerError('malformed', 'The deadline of the upload is not within seven days from now', {
      expected: `an instant from ${iso(now)} to ${iso(now + MAX_UPLOAD_WINDOW_MS)}`,
      seen: iso(manifest.deadline),
    })
  }
}

/** Without the evaluation sets nobody could tell a leaked item from a contribution, so intake waits for them. */
async function requireOpen(deps: Pick<RegisterSubmissionDeps, 'artifacts'>, datanet: Datanet) {
  const missing = await missingSets(deps, datanet.terms)
  if (datanet.logIndex === null || missing.length > 0) {
    throw new OpenLedgerError('datanet-not-open', 'This Datanet does not take submissions yet', {
      expected: 'its terms in the log and its evaluation sets in place',
      seen: missing.length > 0 ? `missing: ${missing.join(', ')}` : 'terms not logged',
    })
  }
}

const iso = (instantMs: number) => new Date(instantMs).toISOString()

/** @throws OpenLedgerError not-found */
export async function requiredSubmission(submissions: SubmissionBook, id: Bytes32): Promise<Submission> {
  const submission = await submissions.get(id)
  if (submission === null) throw new OpenLedgerError('not-found', 'There is no such submission', { seen: id })
  return submission
}
