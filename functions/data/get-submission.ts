import { routes } from '../../api/routes.ts'
import { requiredSubmission } from '../../domain/data/register-submission.ts'
import { parseBytes32 } from '../../domain/protocol/hex.ts'
import { deps } from '../deps.ts'
import { endpoint } from '../http/endpoint.ts'
import { presentReceipt } from '../http/presenters.ts'
import { presentSubmission } from './present-submission.ts'

/** More would be a file, and whoever sent that many bad lines has read enough after these. */
const MAX_REFUSALS = 500

export const handler = endpoint(routes.getSubmission, async ({ params, receivedAt }) => {
  const submission = await requiredSubmission(deps.submissions(), parseBytes32(params.id))
  return {
    ...presentSubmission(submission, receivedAt),
    refusals: await deps.submissions().refusals(submission.id, MAX_REFUSALS),
    receipt: submission.receipt === null ? null : presentReceipt(submission.receipt),
    acceptedRoot: submission.outcome?.acceptedRoot ?? null,
    proof: submission.logIndex === null ? null : `/v1/submissions/${submission.id}/proof`,
  }
})
