import { receiptOfSubmission } from '../../domain/data/commit-submission.ts'
import { parseBytes32 } from '../../domain/protocol/hex.ts'
import { deps } from '../deps.ts'

export const handler = async (event: { submissionId: string }) => {
  const receipt = await receiptOfSubmission(
    { genesis: deps.genesis(), signer: deps.receiptSigner(), submissions: deps.submissions() },
    parseBytes32(event.submissionId),
  )
  return { signer: receipt.signer, includeBy: receipt.includeBy }
}
