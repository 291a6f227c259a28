import type { Address, Bytes32 } from '../protocol/hex.ts'
import type { AccountPeriod, RewardClaims, SettlementBook } from './ports.ts'

/** More periods are in the payout files. */
const PERIODS_SHOWN = 50

export type AccountRewards = {
  readonly account: Address
  /** All that was ever given, claimable or still in dispute. */
  readonly cumulativeWei: bigint
  readonly heldWei: bigint
  readonly claimedWei: bigint
  /** What `claim` pays now with the proof. */
  readonly claimableWei: bigint
  readonly proof: {
    readonly period: number
    readonly root: Bytes32
    readonly cumulativeWei: bigint
    readonly siblings: readonly Bytes32[]
  } | null
  /** A root that governors may still cancel. */
  readonly pending: { readonly period: number; readonly claimableAt: number } | null
  readonly periods: readonly AccountPeriod[]
}

/**
 * What an account earned, why, and the proof for the root that pays now.
 * @throws OpenLedgerError unavailable when the chain does not answer
 */
export async function accountRewards(
  deps: {
    readonly settlements: Pick<SettlementBook, 'account'>
    readonly claims: Pick<RewardClaims, 'roots' | 'claimedOf'>
  },
  account: Address,
): Promise<AccountRewards> {
  const [periods, roots, claimedWei] = await Promise.all([
    deps.settlements.account(account, PERIODS_SHOWN),
    deps.claims.roots(),
    deps.claims.claimedOf(account),
  ])
  const [newest] = periods
  const { claimable, pending } = roots
  const paying = periods.find(row => claimable !== null && row.root === claimable.root && row.proof !== null)
  const proof =
    paying === undefined || paying.root === null || paying.proof === null
      ? null
      : {
          period: paying.period,
          root: paying.root,
          cumulativeWei: BigInt(paying.money.after.cumulative),
          siblings: paying.proof,
        }
  const due = proof === null ? 0n : proof.cumulativeWei - claimedWei
  return {
    account,
    cumulativeWei: BigInt(newest?.money.after.cumulative ?? 0),
    heldWei: (newest?.money.after.held ?? []).reduce((sum, { amount }) => sum + BigInt(amount), 0n),
    claimedWei,
    claimableWei: due > 0n ? due : 0n,
    proof,
    pending: pending === null ? null : { period: pending.period, claimableAt: pending.claimableAt },
    periods,
  }
}
