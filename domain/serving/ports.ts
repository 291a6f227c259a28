import type { Address, Bytes32 } from '../protocol/hex.ts'
import type { Alias } from './alias.ts'
import type { ApiKey } from './api-key.ts'
import type { UsageRecord, UsageTotal } from './usage.ts'

/** Keys, their credit, and what they used. `credit + reserved + spent = deposited` holds after every write. */
export type KeyBook = {
  /** Puts the key and takes its deposit in one transaction: a deposit buys one key. */
  add(key: ApiKey): Promise<'added' | 'exists' | 'deposit-used'>
  get(keyHash: Bytes32): Promise<ApiKey | null>
  /** Moves an amount from credit to reserved, under the request's id. */
  reserve(keyHash: Bytes32, reservation: Reservation): Promise<'reserved' | 'short' | 'unknown-key'>
  /** Gives a reservation back whole; one that is gone stays gone. */
  release(keyHash: Bytes32, requestId: string): Promise<void>
  /** Gives back what crashed requests left reserved; the number of them. */
  releaseExpired(keyHash: Bytes32, now: number): Promise<number>
  /**
   * Takes a reservation's place by what was used: charge, record and the period's total in one transaction.
   * `gone`: settled or released before. `period-closed`: the record must name a later period.
   */
  settle(keyHash: Bytes32, usage: UsageRecord): Promise<'settled' | 'gone' | 'period-closed'>
}
export type Reservation = {
  readonly requestId: string
  readonly amountWei: bigint
  readonly expiresAt: number
}

export type UsageBook = {
  /** After it no usage enters the period; what comes later goes to the next one. */
  closePeriod(period: number, now: number): Promise<void>
  /** Final once the period is closed. */
  usageOfPeriod(period: number): Promise<UsageTotal[]>
}

export type AliasBook = {
  get(alias: string): Promise<Alias | null>
  list(): Promise<Alias[]>
  /** Moves an alias if it is still where it was read; false when another move was first. */
  move(before: Alias | null, after: Alias): Promise<boolean>
}

/** When a component was last asked, and last told to wake. Approximate on purpose: written once a minute. */
export type ActivityBook = {
  lastUsed(component: string): Promise<number | null>
  touch(component: string, now: number): Promise<void>
  /** True for the one of many callers that is to wake it. */
  claimWaking(component: string, now: number): Promise<boolean>
}

/** `RewardClaims.fund` as the configured endpoints agree on it. */
export type Deposits = {
  /** What `account` funded in this transaction; null while no endpoint knows it as final. */
  funded(transaction: Bytes32, account: Address): Promise<{ amountWei: bigint } | null>
}

export type ModelTarget = { readonly endpoint: string; readonly component: string }
/** A served model. @throws OpenLedgerError model-waking when no copy runs, malformed when the model refuses */
export type ServedModel = {
  ask(target: ModelTarget, request: unknown, signal: AbortSignal): Promise<unknown>
  /** The answer's bytes as they come; leaving the loop ends the work. */
  stream(target: ModelTarget, request: unknown, signal: AbortSignal): Promise<AsyncIterable<Uint8Array>>
}
export type ModelCopies = {
  /** Copies wanted; null when there is no such component, or it is changing. */
  wanted(component: string): Promise<number | null>
  setWanted(component: string, copies: number): Promise<void>
}
