import { routes } from '../../api/routes.ts'
import { toEntry } from '../../domain/data/append-leaves.ts'
import { submissionLeaf } from '../../domain/data/leaves.ts'
import { proveLeaf } from '../../domain/data/prove-leaf.ts'
import { requiredSubmission } from '../../domain/data/register-submission.ts'
import { OpenLedgerError } from '../../domain/errors.ts'
import { parseBytes32 } from '../../domain/protocol/hex.ts'
import { deps } from '../deps.ts'
import { endpoint } from '../http/endpoint.ts'

export const handler = endpoint(routes.getSubmissionProof, async ({ params }) => {
  const submission = await requiredSubmission(deps.submissions(), parseBytes32(params.id))
  if (submission.outcome === null) {
    throw new OpenLedgerError('not-found', 'This submission is not decided yet', { seen: submission.id })
  }
  const { leafHash } = toEntry(submissionLeaf(submission, submission.outcome))
  const proof = await proveLeaf({ log: deps.logBook(), files: deps.publicFiles() }, leafHash)
  return { ...proof, proof: [...proof.proof] }
})
