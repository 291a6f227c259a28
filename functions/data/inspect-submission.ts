import { inspectSubmission } from '../../domain/data/inspect-submission.ts'
import { parseBytes32 } from '../../domain/protocol/hex.ts'
import { deps } from '../deps.ts'
import { logger } from '../http/endpoint.ts'

export const handler = async (event: { submissionId: string }) => {
  const inspection = await inspectSubmission(
    {
      datanets: deps.datanets(),
      submissions: deps.submissions(),
      artifacts: deps.artifacts(),
      uploads: deps.uploads(),
    },
    { submissionId: parseBytes32(event.submissionId), now: Date.now() },
  )
  const codes = inspection.reasons.map(reason => reason.code)
  logger.info('submission.inspected', {
    submissionId: event.submissionId,
    verdict: inspection.verdict,
    codes,
  })
  return inspection
}
