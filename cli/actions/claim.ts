import { type Signer as ChainSigner, Contract } from 'ethers'
import { OpenLedgerError } from '../../domain/errors.ts'
import { type Bytes32, parseBytes32 } from '../../domain/protocol/hex.ts'
import { open } from '../output.ts'
import type { Session } from './session.ts'

const CLAIMS_ABI = [
  'function claim(address account, uint256 cumulativeAmount, bytes32[] proof) returns (uint256)',
]
const CLAIM_GAS = 500_000n

/**
 * Claims all that an account may claim now, with the proof that the service publishes; it is paid to the account's
 * payee, whoever sends it.
 * @throws OpenLedgerError not-found when there is nothing to claim; ApiError; what the chain refuses
 */
export async function claim(
  session: Session,
  sender: ChainSigner,
  account: string,
): Promise<{ transaction: Bytes32; claimedWei: bigint; period: number }> {
  const { proof, claimableWei, pending } = await session.client.call('getRewards', {
    params: { address: account },
  })
  if (proof === null || claimableWei === '0')
    throw new OpenLedgerError('not-found', 'There is nothing to claim now', {
      expected: pending === null ? 'a settled period with a share' : `after ${pending.claimableAt}`,
      seen: `${open(claimableWei)} OPEN to claim`,
    })
  const claims = new Contract(session.genesis.rewardClaims, CLAIMS_ABI, sender)
  const sent = await claims.getFunction('claim')(account, proof.cumulativeWei, proof.siblings, {
    gasLimit: CLAIM_GAS,
  })
  await sent.wait()
  return { transaction: parseBytes32(sent.hash), claimedWei: BigInt(claimableWei), period: proof.period }
}
