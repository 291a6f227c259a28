/**
 * Payouts over periods, in base units of the stage's token. What an account may claim on chain is one
 * cumulative number (what it was ever given), so that a lost or repeated claim changes nothing. Part of each
 * share is held for some periods against evidence that comes later; a penalty can take that part and no more.
 *
 * Settling a period, for each account:
 *   held now   = floor(amount * heldPpm / 1_000_000), paid now = amount - held now
 *   penalty    = at most what is held of the account, this period's part included, oldest first; to the reserve
 *   released   = what was held `releaseAfterPeriods` ago or earlier, unless a review of the account is open
 *   cumulative = cumulative before + paid now + released
 * and over all accounts, exactly: what came in = paid + held + reserve, now and since the first period.
 */
import { OpenLedgerError } from '../errors.ts'
import type { Address } from '../protocol/hex.ts'
import { heldPart } from './split-revenue.ts'

/** A fifth is held: enough to make cheating a loss, little enough that honest work is paid at once. */
export const HELD_PPM = 200_000
/** Held rewards wait for one full round of later evidence. */
export const RELEASE_AFTER_PERIODS = 2

export type HeldAmount = { readonly period: number; readonly amount: bigint }

export type AccountBalance = {
  readonly account: Address
  /** All that the account may ever have claimed: the leaf of the payout tree. */
  readonly cumulative: bigint
  /** Oldest first, without zeros. */
  readonly held: readonly HeldAmount[]
}

export type PayoutState = {
  /** The last period settled; 0 before the first. */
  readonly period: number
  /** Sorted by account. */
  readonly accounts: readonly AccountBalance[]
  readonly reserve: bigint
}

export const EMPTY_PAYOUTS: PayoutState = { period: 0, accounts: [], reserve: 0n }

/** One account's part of the period; `heldPpm` is HELD_PPM, or 1_000_000 where all waits for evidence. */
export type PeriodShare = { readonly account: Address; readonly amount: bigint; readonly heldPpm: number }
export type Penalty = { readonly account: Address; readonly amount: bigint }

export type Period = {
  readonly period: number
  /** An account may come more than once, for instance as contributor and as validator. */
  readonly shares: readonly PeriodShare[]
  readonly reserve: bigint
  readonly penalties: readonly Penalty[]
  /** Accounts whose held rewards are not released while a review is open. */
  readonly underReview: ReadonlySet<Address>
  readonly releaseAfterPeriods: number
}

export type AccountPayout = {
  readonly account: Address
  readonly paid: bigint
  readonly heldNow: bigint
  readonly released: bigint
  /** What the penalties really took: never more than was held. */
  readonly penalty: bigint
}

export type Settlement = {
  readonly state: PayoutState
  /** What changed for each account in this period, sorted by account. */
  readonly payouts: readonly AccountPayout[]
  readonly received: bigint
}

const total = (amounts: readonly { readonly amount: bigint }[]) =>
  amounts.reduce((sum, { amount }) => sum + amount, 0n)

/** All that was ever given to accounts: `total` of the payout root, never more than was funded. */
export function totalCumulative(state: PayoutState): bigint {
  return state.accounts.reduce((sum, { cumulative }) => sum + cumulative, 0n)
}

/** All that is held of all accounts. */
export function totalHeld(state: PayoutState): bigint {
  return state.accounts.reduce((sum, { held }) => sum + total(held), 0n)
}

function takeOldest(held: readonly HeldAmount[], wanted: bigint): { left: HeldAmount[]; taken: bigint } {
  let missing = wanted
  const left = held.map(({ period, amount }) => {
    // biome-ignore lint/complexity/useMathMinMax: Math.min takes no bigint
    const taken = amount < missing ? amount : missing
    missing -= taken
    return { period, amount: amount - taken }
  })
  return { left, taken: wanted - missing }
}

function settleAccount(
  before: AccountBalance,
  input: Period,
  shares: readonly PeriodShare[],
  penalty: bigint,
) {
  const heldNow = shares.reduce((sum, share) => sum + heldPart(share.amount, share.heldPpm), 0n)
  const paid = total(shares) - heldNow
  // The penalty comes before the release, or the last period of holding would hold nothing.
  const { left, taken } = takeOldest([...before.held, { period: input.period, amount: heldNow }], penalty)
  const isDue = ({ period }: HeldAmount) =>
    period + input.releaseAfterPeriods <= input.period && !input.underReview.has(before.account)
  const released = total(left.filter(isDue))
  const balance: AccountBalance = {
    account: before.account,
    cumulative: before.cumulative + paid + released,
    held: left.filter(held => held.amount > 0n && !isDue(held)),
  }
  return { balance, payout: { account: before.account, paid, heldNow, released, penalty: taken } }
}

function requirePeriod(before: PayoutState, input: Period): void {
  if (!Number.isSafeInteger(input.period) || input.period <= before.period)
    throw new OpenLedgerError('period-settled', 'this period was settled before', {
      expected: `a period after ${before.period}`,
      seen: `${input.period}`,
    })
  const amounts = [
    input.reserve,
    ...input.shares.map(share => share.amount),
    ...input.penalties.map(penalty => penalty.amount),
  ]
  if (
    amounts.some(amount => amount < 0n) ||
    !Number.isSafeInteger(input.releaseAfterPeriods) ||
    input.releaseAfterPeriods < 0
  )
    throw new OpenLedgerError('malformed', 'not a period', { expected: 'amounts and periods from 0' })
}

/**
 * Settles one period upon the state after the one before. Holds after: no cumulative amount falls; received
 * = growth of all cumulative + growth of all held + growth of the reserve.
 * @throws OpenLedgerError period-settled for a period that is not after the last, malformed for negative amounts
 */
export function settlePeriod(before: PayoutState, input: Period): Settlement {
  requirePeriod(before, input)
  const known = new Map(before.accounts.map(balance => [balance.account, balance]))
  const sharesOf = new Map<Address, PeriodShare[]>()
  for (const share of input.shares)
    sharesOf.set(share.account, [...(sharesOf.get(share.account) ?? []), share])
  const penaltyOf = new Map<Address, bigint>()
  for (const { account, amount } of input.penalties)
    penaltyOf.set(account, (penaltyOf.get(account) ?? 0n) + amount)

  const accounts = [...new Set([...known.keys(), ...sharesOf.keys()])].sort()
  const settled = accounts.map(account =>
    settleAccount(
      known.get(account) ?? { account, cumulative: 0n, held: [] },
      input,
      sharesOf.get(account) ?? [],
      penaltyOf.get(account) ?? 0n,
    ),
  )
  const penalized = settled.reduce((sum, { payout }) => sum + payout.penalty, 0n)
  const state: PayoutState = {
    period: input.period,
    accounts: settled.map(({ balance }) => balance),
    reserve: before.reserve + input.reserve + penalized,
  }
  const received = total(input.shares) + input.reserve
  const grown = (of: (state: PayoutState) => bigint) => of(state) - of(before)
  if (received !== grown(totalCumulative) + grown(totalHeld) + grown(({ reserve }) => reserve))
    throw new OpenLedgerError('internal', 'a settlement does not conserve what came in', {
      seen: `period ${input.period}`,
    })
  return { state, payouts: settled.map(({ payout }) => payout), received }
}
