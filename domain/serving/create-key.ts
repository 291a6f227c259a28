import { OpenLedgerError } from '../errors.ts'
import type { Genesis } from '../governance/genesis.ts'
import { parseAddress, parseBytes32 } from '../protocol/hex.ts'
import { requireSigner } from '../protocol/typed-data.ts'
import type { ApiKey } from './api-key.ts'
import type { Deposits, KeyBook } from './ports.ts'

export type CreateKeyDeps = { readonly genesis: Genesis; readonly keys: KeyBook; readonly deposits: Deposits }

/**
 * Registers an API key against what its account funded in one transaction. The signature binds key, deposit and
 * account, so nobody can take another one's deposit; the same request again answers with the same key.
 * @throws OpenLedgerError bad-signature, wrong-signer, not-found (no such deposit), conflict (the deposit bought
 * another key, or the key is taken), unavailable (the deposit is not final yet: nothing was stored)
 */
export async function createKey(
  deps: CreateKeyDeps,
  input: {
    account: string
    keyHash: string
    depositTx: string
    nonce: number
    signature: string
    now: number
  },
): Promise<ApiKey> {
  const account = parseAddress(input.account)
  const keyHash = parseBytes32(input.keyHash)
  const depositTx = parseBytes32(input.depositTx)
  requireSigner(
    deps.genesis,
    'ApiKey',
    { account, keyHash, depositTx, nonce: input.nonce },
    input.signature,
    account,
  )
  const before = await deps.keys.get(keyHash)
  if (before !== null) return requireSame(before, { account, depositTx })

  const deposit = await deps.deposits.funded(depositTx, account)
  if (deposit === null) {
    throw new OpenLedgerError('unavailable', 'The deposit is not final yet; send the request again', {
      expected: 'a transaction in a final block',
      seen: depositTx,
    })
  }
  if (deposit.amountWei === 0n) {
    throw new OpenLedgerError('not-found', 'This transaction brought no revenue from this account', {
      expected: `RewardClaims.fund(period, amount) sent by ${account}`,
      seen: depositTx,
    })
  }
  const key: ApiKey = {
    keyHash,
    account,
    depositTx,
    depositedWei: deposit.amountWei,
    creditWei: deposit.amountWei,
    reservedWei: 0n,
    spentWei: 0n,
    createdAt: input.now,
    usage: { requests: 0, promptTokens: 0, completionTokens: 0 },
  }
  const outcome = await deps.keys.add(key)
  if (outcome === 'added') return key
  const other = await deps.keys.get(keyHash)
  if (other !== null) return requireSame(other, { account, depositTx })
  throw new OpenLedgerError('conflict', 'This deposit has bought another key', {
    expected: 'a deposit of its own for each key',
    seen: depositTx,
  })
}

function requireSame(key: ApiKey, asked: Pick<ApiKey, 'account' | 'depositTx'>): ApiKey {
  if (key.account === asked.account && key.depositTx === asked.depositTx) return key
  throw new OpenLedgerError('conflict', 'This key is registered with another deposit', {
    expected: 'a new random key for each deposit',
  })
}
