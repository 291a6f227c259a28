/** The accounts of a payout file, settled again: what is paid, held, released and taken (section 12.3). */
import { same } from './report.ts'
import { asAddress, asAmount, asArray, asCount, asObject, type Json } from './shape.ts'

const PPM = 1_000_000n

interface Held {
  readonly period: number
  readonly amount: bigint
}
export interface AccountState {
  readonly cumulative: bigint
  /** Oldest first, without zeros. */
  readonly held: readonly Held[]
}
export interface AccountRow {
  readonly account: string
  readonly before: AccountState
  readonly paid: bigint
  readonly heldNow: bigint
  readonly released: bigint
  readonly penalty: bigint
  readonly after: AccountState
}
/** One account's part of one pool. */
export interface Share {
  readonly account: string
  readonly amount: bigint
  readonly heldPpm: bigint
}
/** What a period decides besides the shares. */
export interface Decisions {
  readonly period: number
  readonly releaseAfterPeriods: number
  readonly penalties: ReadonlyMap<string, bigint>
  readonly underReview: ReadonlySet<string>
}

export const sum = (amounts: Iterable<bigint>): bigint =>
  [...amounts].reduce((total, amount) => total + amount, 0n)
export const heldOf = (state: AccountState): bigint => sum(state.held.map(part => part.amount))

export function requireAscending(accounts: readonly string[], path: string): void {
  for (const [at, account] of accounts.entries())
    if (at > 0 && accounts[at - 1]! >= account) throw new Error(`${path} is not sorted by account`)
}

function asState(value: unknown, path: string): AccountState {
  const given = asObject(value, path)
  const held = asArray(given.held, `${path}.held`).map((one, at): Held => {
    const part = asObject(one, `${path}.held[${at}]`)
    return {
      period: asCount(part.period, `${path}.held[${at}].period`),
      amount: asAmount(part.amount, `${path}.held[${at}].amount`),
    }
  })
  for (const [at, part] of held.entries())
    if (part.amount === 0n || (at > 0 && held[at - 1]!.period >= part.period))
      throw new Error(`${path}.held is not oldest first and above zero`)
  return { cumulative: asAmount(given.cumulative, `${path}.cumulative`), held }
}

/** The `accounts` of a file, strictly ascending. @throws Error */
export function asAccountRows(value: unknown): AccountRow[] {
  const rows = asArray(value, 'accounts').map((one, at): AccountRow => {
    const path = `accounts[${at}]`
    const row = asObject(one, path)
    return {
      account: asAddress(row.account, `${path}.account`),
      before: asState(row.before, `${path}.before`),
      paid: asAmount(row.paid, `${path}.paid`),
      heldNow: asAmount(row.heldNow, `${path}.heldNow`),
      released: asAmount(row.released, `${path}.released`),
      penalty: asAmount(row.penalty, `${path}.penalty`),
      after: asState(row.after, `${path}.after`),
    }
  })
  requireAscending(
    rows.map(row => row.account),
    'accounts',
  )
  return rows
}

/** The penalties, reviews and holding rules of a file. @throws Error */
export function asDecisions(file: Json): Decisions {
  const penalties = asArray(file.penalties, 'penalties').map((one, at) => {
    const row = asObject(one, `penalties[${at}]`)
    const account = asAddress(row.account, `penalties[${at}].account`)
    return [account, asAmount(row.amount, `penalties[${at}].amount`)] as const
  })
  requireAscending(
    penalties.map(([account]) => account),
    'penalties',
  )
  const underReview = asArray(file.underReview, 'underReview').map((one, at) =>
    asAddress(one, `underReview[${at}]`),
  )
  requireAscending(underReview, 'underReview')
  return {
    period: asCount(file.period, 'period'),
    releaseAfterPeriods: asCount(file.releaseAfterPeriods, 'releaseAfterPeriods'),
    penalties: new Map(penalties),
    underReview: new Set(underReview),
  }
}

/** @throws Error unless the row follows from what was before, the shares and the decisions */
export function requireSettled(row: AccountRow, shares: readonly Share[], decisions: Decisions): void {
  const whose = row.account
  const heldNow = sum(shares.map(share => (share.amount * share.heldPpm) / PPM))
  same(`what is held of ${whose}`, heldNow, row.heldNow)
  same(`what ${whose} is paid`, sum(shares.map(share => share.amount)) - heldNow, row.paid)

  // A penalty takes from what is held, the oldest part first, this period's part last.
  let missing = decisions.penalties.get(whose) ?? 0n
  const asked = missing
  const left = [...row.before.held, { period: decisions.period, amount: heldNow }].map(part => {
    const taken = part.amount < missing ? part.amount : missing
    missing -= taken
    return { period: part.period, amount: part.amount - taken }
  })
  same(`the penalty of ${whose}`, asked - missing, row.penalty)

  const isDue = (part: Held) =>
    part.period + decisions.releaseAfterPeriods <= decisions.period && !decisions.underReview.has(whose)
  const released = sum(left.filter(isDue).map(part => part.amount))
  same(`what is released to ${whose}`, released, row.released)
  same(`the cumulative amount of ${whose}`, row.before.cumulative + row.paid + released, row.after.cumulative)
  const kept = left.filter(part => part.amount > 0n && !isDue(part))
  same(
    `what stays held of ${whose}`,
    spell({ cumulative: 0n, held: kept }),
    spell({ ...row.after, cumulative: 0n }),
  )
}

/** A state as text, to compare two. */
export function spell(state: AccountState): string {
  return [state.cumulative, ...state.held.map(part => `${part.amount} of period ${part.period}`)].join(', ')
}
