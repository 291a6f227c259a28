import type { Bytes32, Hex } from '../protocol/hex.ts'
import { keccak256Hex } from '../protocol/ids.ts'
import { hashTypedData } from '../protocol/typed-data.ts'
import type { Genesis } from './genesis.ts'
import type { DigestSigner } from './ports.ts'
import type { Ballot } from './proposal.ts'

/** A receipt promises inclusion within this; absence from every log head after it proves misbehavior. */
const INCLUDE_WITHIN_MS = 86_400_000

export type SignedReceipt = {
  readonly objectDigest: Bytes32
  readonly receivedAt: number
  readonly includeBy: number
  readonly signer: Hex
  readonly signature: Hex
}

/** Signs that an object was received, and by when it is in the log. The same object gives the same digest. */
export async function signReceipt(
  deps: { genesis: Genesis; signer: DigestSigner },
  objectDigest: Bytes32,
  receivedAt: number,
): Promise<SignedReceipt> {
  const message = { objectDigest, receivedAt, includeBy: receivedAt + INCLUDE_WITHIN_MS }
  const signature = await deps.signer.sign(hashTypedData(deps.genesis, 'Receipt', message))
  return { ...message, signer: await deps.signer.address(), signature }
}

/** What a ballot's receipt is about: the EIP-712 digest that the voter signed. */
export function ballotDigest(genesis: Genesis, proposalId: Bytes32, ballot: Ballot): Bytes32 {
  const message = {
    proposalId,
    voter: ballot.voter,
    support: ballot.support,
    nonce: ballot.nonce,
    reasonHash: keccak256Hex(ballot.reason),
  }
  return hashTypedData(genesis, 'Ballot', message)
}
