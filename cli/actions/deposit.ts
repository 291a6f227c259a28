import { randomBytes } from 'node:crypto'
import { type Signer as ChainSigner, Contract } from 'ethers'
import { ApiError, type CallOutput } from '../../api/client.ts'
import { OpenLedgerError } from '../../domain/errors.ts'
import { type Bytes32, parseBytes32 } from '../../domain/protocol/hex.ts'
import { keccak256Hex } from '../../domain/protocol/ids.ts'
import { signTypedData } from '../../domain/protocol/typed-data.ts'
import { open as inOpen } from '../output.ts'
import { addressOf, nextNonce, type Session, type Signer } from './session.ts'

const OPEN_ABI = [
  'function approve(address spender, uint256 value) returns (bool)',
  'function balanceOf(address account) view returns (uint256)',
]
const CLAIMS_ABI = ['function fund(uint256 period, uint256 amount)']
const APPROVE_GAS = 200_000n
const FUND_GAS = 400_000n
/** A deposit is credit once its block is final: seconds on a local chain, a quarter of an hour on Ethereum. */
const FINAL_WITHIN_MS = 1_800_000
const ASK_AGAIN_MS = 1_000

export type Deposit = { readonly transaction: Bytes32; readonly period: number; readonly amountWei: bigint }

/**
 * Brings OPEN (base units) into the open payout period: `RewardClaims.fund`, after an approval of exactly that.
 * Resolves when it is in a block. @throws OpenLedgerError conflict when the wallet holds less; what the chain refuses
 */
export async function deposit(
  session: Session,
  wallet: ChainSigner,
  input: { datanetId: string; amountWei: bigint },
): Promise<Deposit> {
  const { openToken, rewardClaims } = session.genesis
  const { amountWei, datanetId } = input
  const { openPeriod } = await session.client.call('listPayouts', { params: { id: datanetId } })
  const open = new Contract(openToken, OPEN_ABI, wallet)
  const claims = new Contract(rewardClaims, CLAIMS_ABI, wallet)
  const held = BigInt(await open.getFunction('balanceOf')(await wallet.getAddress()))
  if (held < amountWei)
    throw new OpenLedgerError('conflict', 'The account holds less OPEN than this', {
      expected: `${inOpen(String(amountWei))} OPEN`,
      seen: `${inOpen(String(held))} OPEN`,
    })
  // Both in one block where the chain allows: the nonces say in which order.
  const nonce = await wallet.getNonce()
  const approved = await open.getFunction('approve')(rewardClaims, amountWei, {
    nonce,
    gasLimit: APPROVE_GAS,
  })
  const funded = await claims.getFunction('fund')(openPeriod, amountWei, {
    nonce: nonce + 1,
    gasLimit: FUND_GAS,
  })
  await approved.wait()
  await funded.wait()
  return { transaction: parseBytes32(funded.hash), period: openPeriod, amountWei }
}

/** A key as `POST /v1/keys` expects its hash. Whoever makes it is the only one who has its text. */
export const newApiKey = () => `olk_${randomBytes(32).toString('base64url')}`

/**
 * Registers the hash of an API key against a deposit of the signer. The key is made here unless one is brought.
 * @throws ApiError with the service's refusal, also when the deposit is not final within half an hour
 */
export async function buyKey(
  session: Session,
  signer: Signer,
  input: { depositTx: Bytes32; apiKey?: string },
): Promise<{ apiKey: string; key: CallOutput<'createKey'> }> {
  const { apiKey = newApiKey() } = input
  const message = {
    account: addressOf(signer),
    keyHash: keccak256Hex(apiKey),
    depositTx: input.depositTx,
    nonce: nextNonce(),
  }
  const signature = await signTypedData(signer, session.bound, 'ApiKey', message)
  for (const giveUpAt = Date.now() + FINAL_WITHIN_MS; ; ) {
    try {
      return { apiKey, key: await session.client.call('createKey', { body: { ...message, signature } }) }
    } catch (error) {
      const isEarly = error instanceof ApiError && error.code === 'unavailable'
      if (!isEarly || Date.now() > giveUpAt) throw error
    }
    await new Promise(wake => setTimeout(wake, ASK_AGAIN_MS))
  }
}
