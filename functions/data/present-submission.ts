import type { SubmissionSummary } from '../../api/schemas/data.ts'
import { type Submission, submissionState } from '../../domain/data/submission.ts'
import { iso } from '../http/presenters.ts'

const isoOrNull = (instantMs: number | null) => (instantMs === null ? null : iso(instantMs))

export function presentSubmission(submission: Submission, now: number): SubmissionSummary {
  const { id, manifest, outcome } = submission
  return {
    id,
    datanetId: manifest.datanetId,
    contributor: manifest.contributor,
    sequence: submission.sequence,
    state: submissionState(submission, now),
    objectDigest: manifest.objectDigest,
    sizeBytes: manifest.sizeBytes,
    recordCount: manifest.recordCount,
    license: manifest.license,
    registeredAt: iso(submission.registeredAt),
    receivedAt: isoOrNull(submission.receivedAt),
    decidedAt: isoOrNull(outcome?.decidedAt ?? null),
    acceptedRecords: outcome?.accepted ?? 0,
    refusedRecords: { ...outcome?.refused },
    reasons: [...(outcome?.reasons ?? [])],
    logIndex: submission.logIndex,
  }
}
