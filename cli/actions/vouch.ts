import type { CallOutput } from '../../api/client.ts'
import { parseAddress } from '../../domain/protocol/hex.ts'
import { signTypedData } from '../../domain/protocol/typed-data.ts'
import { addressOf, nextNonce, type Session, type Signer } from './session.ts'

export const VOUCH_LEVEL = { none: 0, contributor: 1, validator: 2 } as const

/** A governor's signed word for an account. @throws ApiError with the service's refusal */
export async function vouch(
  session: Session,
  signer: Signer,
  input: { account: string; level: keyof typeof VOUCH_LEVEL },
): Promise<CallOutput<'vouchAccount'>> {
  const message = {
    governor: addressOf(signer),
    account: parseAddress(input.account),
    level: VOUCH_LEVEL[input.level],
    nonce: nextNonce(),
  }
  const signature = await signTypedData(signer, session.bound, 'Vouch', message)
  const { account, ...body } = message
  return session.client.call('vouchAccount', { params: { address: account }, body: { ...body, signature } })
}
