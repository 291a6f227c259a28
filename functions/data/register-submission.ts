import { routes } from '../../api/routes.ts'
import { registerSubmission } from '../../domain/data/register-submission.ts'
import { submissionState } from '../../domain/data/submission.ts'
import { parseAddress, parseBytes32, parseSha256Hex } from '../../domain/protocol/hex.ts'
import { deps } from '../deps.ts'
import { endpoint, logger } from '../http/endpoint.ts'
import { iso } from '../http/presenters.ts'

export const handler = endpoint(routes.registerSubmission, async ({ params, body, receivedAt }) => {
  const { seed, signature, ...signed } = body
  const manifest = {
    ...signed,
    datanetId: parseBytes32(params.id),
    contributor: parseAddress(signed.contributor),
    objectDigest: parseSha256Hex(signed.objectDigest),
    recordsRoot: parseSha256Hex(signed.recordsRoot),
    deadline: Date.parse(signed.deadline),
  }
  const { submission, ticket } = await registerSubmission(
    {
      genesis: deps.genesis(),
      datanets: deps.datanets(),
      submissions: deps.submissions(),
      artifacts: deps.artifacts(),
      uploads: deps.uploads(),
    },
    { manifest, seed, signature, receivedAt },
  )
  const { id: submissionId, sequence } = submission
  logger.info('submission.registered', { submissionId, datanetId: manifest.datanetId, sequence })
  return {
    submissionId,
    sequence,
    state: submissionState(submission, receivedAt),
    upload:
      ticket === null
        ? null
        : { ...ticket, headers: { ...ticket.headers }, expiresAt: iso(ticket.expiresAt) },
  }
})
