import { commitSubmission } from '../../domain/data/commit-submission.ts'
import type { Inspection } from '../../domain/data/inspect-submission.ts'
import { parseBytes32 } from '../../domain/protocol/hex.ts'
import { deps } from '../deps.ts'
import { logger } from '../http/endpoint.ts'

export const handler = async (event: { submissionId: string; inspection: Inspection }) => {
  const { outcome, logIndex } = await commitSubmission(
    {
      datanets: deps.datanets(),
      submissions: deps.submissions(),
      records: deps.records(),
      uploads: deps.uploads(),
      data: deps.dataFiles(),
      log: deps.log(),
    },
    {
      submissionId: parseBytes32(event.submissionId),
      inspection: event.inspection,
      now: Date.now(),
    },
  )
  const { state, accepted, refused } = outcome
  logger.info('submission.decided', { submissionId: event.submissionId, state, accepted, refused, logIndex })
  return { state, accepted, refused, logIndex }
}
