import { OpenLedgerError } from '../errors.ts'
import type { Genesis } from '../governance/genesis.ts'
import type { Address } from '../protocol/hex.ts'
import { normalizeSignature, requireSigner } from '../protocol/typed-data.ts'
import { vouchLeaf } from './leaves.ts'
import type { AccountBook, Log, Vouch } from './ports.ts'

/** From this level up an account may be asked to judge. */
export const VALIDATOR_LEVEL = 2

export type VouchAccountDeps = {
  readonly genesis: Genesis
  readonly accounts: AccountBook
  readonly log: Log
}

/**
 * Records a governor's signed word for an account, or its withdrawal (level 0), and logs it. Of one governor's
 * vouches the highest nonce holds.
 * @throws OpenLedgerError not-governor, bad-signature, wrong-signer, equivocation
 */
export async function vouchAccount(
  deps: VouchAccountDeps,
  input: {
    governor: Address
    account: Address
    level: number
    nonce: number
    signature: string
    receivedAt: number
  },
): Promise<Vouch> {
  const { governor, account, level, nonce } = input
  if (!deps.genesis.governors.addresses.includes(governor)) {
    throw new OpenLedgerError('not-governor', 'Only a Protocol Governor may vouch', { seen: governor })
  }
  requireSigner(deps.genesis, 'Vouch', { governor, account, level, nonce }, input.signature, governor)
  const signature = normalizeSignature(input.signature)
  const vouch = { governor, account, level, nonce, signature, receivedAt: input.receivedAt, logIndex: null }
  const kept = await deps.accounts.keepVouch(vouch)
  if (kept.level !== level) {
    throw new OpenLedgerError('equivocation', 'This nonce was signed before with another level', {
      expected: 'a higher nonce to change a vouch',
      seen: `nonce ${nonce} twice`,
    })
  }
  const { index } = await deps.log.append(vouchLeaf(kept))
  await deps.accounts.recordVouchLogIndex(kept, index)
  return { ...kept, logIndex: index }
}

/**
 * The level that an account has: the highest that a governor's last word gives it.
 * @param logSize when given, only what the log held at that size counts
 */
export function vouchedLevel(
  vouches: readonly Vouch[],
  governors: readonly Address[],
  logSize = Number.POSITIVE_INFINITY,
): number {
  const last = new Map<Address, Vouch>()
  for (const vouch of vouches) {
    const isLogged = vouch.logIndex === null ? logSize === Number.POSITIVE_INFINITY : vouch.logIndex < logSize
    if (!isLogged || !governors.includes(vouch.governor)) continue
    const known = last.get(vouch.governor)
    if (known === undefined || vouch.nonce > known.nonce) last.set(vouch.governor, vouch)
  }
  return Math.max(0, ...[...last.values()].map(vouch => vouch.level))
}

export async function isVouched(
  deps: { genesis: Genesis; accounts: AccountBook },
  account: Address,
): Promise<boolean> {
  return vouchedLevel(await deps.accounts.vouches(account), deps.genesis.governors.addresses) > 0
}
