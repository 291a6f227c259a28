import type { CallOutput } from '../../api/client.ts'
import type { SaidVerdict } from '../../api/schemas/alignment.ts'
import { parseBytes32, parseSha256Hex, sha256ToBytes32 } from '../../domain/protocol/hex.ts'
import { documentId } from '../../domain/protocol/ids.ts'
import { signTypedData } from '../../domain/protocol/typed-data.ts'
import { addressOf, nextNonce, type Session, type Signer } from './session.ts'

/** Signs and sends one verdict. @throws ApiError with the service's refusal */
export async function judge(
  session: Session,
  signer: Signer,
  input: { roundId: string; taskId: string; verdict: SaidVerdict },
): Promise<CallOutput<'submitJudgment'>> {
  const nonce = nextNonce()
  const validator = addressOf(signer)
  const signature = await signTypedData(signer, session.bound, 'Judgment', {
    roundId: parseBytes32(input.roundId),
    taskId: sha256ToBytes32(parseSha256Hex(input.taskId)),
    validator,
    verdictHash: documentId(input.verdict),
    nonce,
  })
  return session.client.call('submitJudgment', {
    params: { id: input.roundId },
    body: { taskId: input.taskId, validator, verdict: input.verdict, nonce, signature },
  })
}
