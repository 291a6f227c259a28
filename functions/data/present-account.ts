import type { AccountView } from '../../api/schemas/data.ts'
import { vouchedLevel } from '../../domain/data/vouch-account.ts'
import type { Address } from '../../domain/protocol/hex.ts'
import { deps } from '../deps.ts'
import { iso } from '../http/presenters.ts'

export async function viewAccount(account: Address): Promise<AccountView> {
  const vouches = await deps.accounts().vouches(account)
  return {
    account,
    level: vouchedLevel(vouches, deps.genesis().governors.addresses),
    vouches: vouches.map(({ governor, level, nonce, receivedAt, logIndex }) => ({
      governor,
      level,
      nonce,
      receivedAt: iso(receivedAt),
      logIndex,
    })),
  }
}
