import type { CallOutput } from '../../api/client.ts'
import { parseBytes32 } from '../../domain/protocol/hex.ts'
import { keccak256Hex } from '../../domain/protocol/ids.ts'
import { SUPPORT, signTypedData } from '../../domain/protocol/typed-data.ts'
import { addressOf, nextNonce, type Session, type Signer } from './session.ts'

/** A signed ballot as it is sent; also what a forger would change. */
export async function signBallot(
  session: Session,
  signer: Signer,
  input: { proposalId: string; choice: keyof typeof SUPPORT; reason?: string },
) {
  const message = {
    proposalId: parseBytes32(input.proposalId),
    voter: addressOf(signer),
    support: SUPPORT[input.choice],
    nonce: nextNonce(),
    reasonHash: keccak256Hex(input.reason ?? ''),
  }
  const signature = await signTypedData(signer, session.bound, 'Ballot', message)
  const { voter, support, nonce } = message
  return { voter, support, nonce, reason: input.reason ?? '', signature }
}

/** Signs and casts a ballot. @throws ApiError with the service's refusal */
export async function vote(
  session: Session,
  signer: Signer,
  input: { proposalId: string; choice: keyof typeof SUPPORT; reason?: string },
): Promise<CallOutput<'castBallot'>> {
  const body = await signBallot(session, signer, input)
  return session.client.call('castBallot', { params: { id: input.proposalId }, body })
}
