import type { CallOutput } from '../../api/client.ts'
import { parseBytes32 } from '../../domain/protocol/hex.ts'
import { keccak256Hex } from '../../domain/protocol/ids.ts'
import { REVIEW_DECISION, signTypedData } from '../../domain/protocol/typed-data.ts'
import { addressOf, nextNonce, type Session, type Signer } from './session.ts'

/** Signs and sends a governor's review with its public reason. @throws ApiError with the service's refusal */
export async function review(
  session: Session,
  signer: Signer,
  input: { proposalId: string; decision: 'admit' | 'reject'; reason: string },
): Promise<CallOutput<'submitReview'>> {
  const nonce = nextNonce()
  const governor = addressOf(signer)
  const signature = await signTypedData(signer, session.bound, 'Review', {
    proposalId: parseBytes32(input.proposalId),
    governor,
    decision: REVIEW_DECISION[input.decision],
    reasonHash: keccak256Hex(input.reason),
    nonce,
  })
  return session.client.call('submitReview', {
    params: { id: input.proposalId },
    body: { governor, decision: input.decision, reason: input.reason, nonce, signature },
  })
}
