import type { Address, Bytes32, Sha256Hex } from '../protocol/hex.ts'
import type { PayoutAccount, ScoreRow } from '../protocol/payout-file.ts'
import type { StandingRule } from './explain-share.ts'

/** A block that every configured endpoint has, final at each. */
export type FinalBlock = { readonly number: number; readonly hash: Bytes32; readonly timestamp: number }

/** A period that was split, for ever. Amounts are base units of the stage's token. */
export type SettledPeriod = {
  readonly period: number
  readonly datanetId: Bytes32
  readonly file: { readonly key: string; readonly sha256: Sha256Hex }
  /** null when nobody was ever given anything. */
  readonly root: Bytes32 | null
  readonly revenueWei: bigint
  readonly totalWei: bigint
  /** Where the revenue was read. */
  readonly readAt: Pick<FinalBlock, 'number' | 'hash'>
  readonly settledAt: number
  /** Index of the payout leaf; null between the two writes. */
  readonly logIndex: number | null
  /** null until the root is on chain. */
  readonly proposal: RootProposal | null
}
export type RootProposal = {
  /** null when the root was found on chain without its transaction. */
  readonly transaction: Bytes32 | null
  /** SHA-256 of the text of the log head that covers the payout leaf. */
  readonly logHead: Bytes32
}

/** What one account got in one period, with its proof against the period's root. */
export type AccountPeriod = {
  readonly account: Address
  readonly period: number
  readonly datanetId: Bytes32
  readonly root: Bytes32 | null
  /** null for an account that has nothing to claim. */
  readonly proof: readonly Bytes32[] | null
  readonly contributor: (PoolPart & { readonly score: ScoreRow; readonly rule: StandingRule }) | null
  readonly validator: PoolPart | null
  readonly money: Omit<PayoutAccount, 'account'>
}
/** An account's part of one pool, as decimal strings. */
export type PoolPart = { readonly weight: string; readonly amount: string; readonly heldPpm: number }

export type SettlementBook = {
  /** The last settled period. */
  latest(): Promise<SettledPeriod | null>
  get(period: number): Promise<SettledPeriod | null>
  /**
   * Keeps a period after the one named, in one write: `settled` when the period is there already, `changed`
   * when another period was settled meanwhile.
   */
  keep(settled: SettledPeriod, after: number | null): Promise<'kept' | 'settled' | 'changed'>
  recordLogged(period: number, logIndex: number): Promise<void>
  /** The first proposal stands. */
  recordProposed(period: number, proposal: RootProposal): Promise<void>
  /** Newest first. */
  list(page: Page): Promise<{ items: SettledPeriod[]; cursor: string | null }>
  /** Equal rows may be kept again. */
  keepAccounts(rows: readonly AccountPeriod[]): Promise<void>
  /** Newest first. */
  account(account: Address, limit: number): Promise<AccountPeriod[]>
}
export type Page = { readonly cursor?: string | undefined; readonly limit?: number | undefined }

/** Usefulness depends on version, set and settings only, so it is measured once for all periods that share them. */
export type MeasurementBook = {
  get(key: Sha256Hex): Promise<Measurement | null>
  /** The first measurement stands, and is answered. */
  keep(key: Sha256Hex, measurement: Measurement): Promise<Measurement>
}
/** Where in the artifact bucket the job left its files. */
export type Measurement = { readonly jobName: string; readonly prefix: string }

export type ChainRoot = {
  readonly root: Bytes32
  readonly period: number
  readonly totalWei: bigint
  readonly logHead: Bytes32
  readonly claimableAt: number
}

/** RewardClaims as the configured endpoints agree on it. @throws OpenLedgerError unavailable */
export type RewardClaims = {
  /** What `fund` received for the period, at a final block. */
  fundedOf(period: number): Promise<{ readonly amountWei: bigint; readonly block: FinalBlock }>
  /** Roots as they pay at a final block. */
  roots(): Promise<{ readonly pending: ChainRoot | null; readonly claimable: ChainRoot | null }>
  claimedOf(account: Address): Promise<bigint>
  /**
   * Sends `proposeRoot` from the settler's key, unless the contract holds this very root already.
   * @throws OpenLedgerError unavailable while another root is in dispute or the key has no gas; forbidden when
   * the key is not the settler's; period-settled, conflict when the contract refuses the root
   */
  propose(root: Omit<ChainRoot, 'claimableAt'>): Promise<Bytes32 | null>
}

/** Starts one execution a try; what is settled is settled once, whatever runs. */
export type SettlementStarter = {
  /** Answers with the execution that runs or was started; null when `tries` executions have ended. */
  start(input: {
    readonly datanetId: Bytes32
    readonly period: number
    /** Whether an execution that succeeded is followed by another one. */
    readonly againAfterSuccess: boolean
  }): Promise<{ readonly execution: string; readonly state: 'running' | 'succeeded' } | null>
}
