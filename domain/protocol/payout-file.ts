/**
 * The payout file of a period (docs/protocol.md section 12): everything from which anybody recomputes the
 * root that RewardClaims pays from, to the last base unit. Amounts and weights are decimal strings.
 */
import type { Address, Bytes32, Sha256Hex } from './hex.ts'
import { documentDigest } from './ids.ts'
import type { Genesis } from './typed-data.ts'

/** A contributor's logged scores; `domain/rewards/usefulness-weights.ts` turns them into a weight. */
export type ScoreRow = {
  readonly account: Address
  readonly valuePpm: number
  readonly lowPpm: number
  readonly highPpm: number
  readonly records: number
  readonly qualityPpm: number
  readonly originalityPpm: number
}
export type WeightRow = { readonly account: Address; readonly weight: string }
type ShareRow = {
  readonly account: Address
  readonly amount: string
  /** The file's `heldPpm`, or 1_000_000 where all of it waits for evidence. */
  readonly heldPpm: number
}

/** One pool, split by weights; rows are sorted by account, and shares and reserve sum to the amount. */
export type PoolSplit = {
  readonly amount: string
  readonly weights: readonly WeightRow[]
  readonly reserveWeight: string
  readonly shares: readonly ShareRow[]
  readonly reserve: string
}

/** What an account was ever given, and what is held of it, oldest first and without zeros. */
export type AccountState = {
  readonly cumulative: string
  readonly held: readonly { readonly period: number; readonly amount: string }[]
}

/** One account that ever earned; sorted by account. */
export type PayoutAccount = {
  readonly account: Address
  readonly before: AccountState
  readonly paid: string
  readonly heldNow: string
  /** What was held before and is given now. */
  readonly released: string
  /** What penalties really took of what was held; it goes to the reserve. */
  readonly penalty: string
  /** `cumulative` is the leaf's amount. */
  readonly after: AccountState
}

export type PayoutFile = {
  readonly kind: 'payout'
  readonly schema: 1
  readonly genesis: Genesis
  readonly rewardClaims: Address
  readonly period: number
  /** What `RewardClaims.fund(period, ...)` received, in base units. */
  readonly revenue: string
  readonly previous: { readonly period: number; readonly fileSha256: Sha256Hex } | null
  /** Sum to 1_000_000. */
  readonly pools: {
    readonly contributorsPpm: number
    readonly validatorsPpm: number
    readonly reservePpm: number
  }
  readonly qualityFloorPpm: number
  readonly scores: readonly ScoreRow[]
  readonly contributors: PoolSplit
  readonly validators: PoolSplit
  readonly heldPpm: number
  readonly releaseAfterPeriods: number
  /** Penalties decided for this period; sorted by account, one row each. */
  readonly penalties: readonly { readonly account: Address; readonly amount: string }[]
  /** Accounts of which nothing is released while a review is open; sorted. */
  readonly underReview: readonly Address[]
  readonly accounts: readonly PayoutAccount[]
  readonly reserve: { readonly before: string; readonly added: string; readonly after: string }
  /** Sum of all cumulative amounts. */
  readonly total: string
  /** Of the payout tree over the accounts with a cumulative amount above zero; null without one. */
  readonly root: Bytes32 | null
}

/**
 * What the log's `scores` leaf of a period commits before its payout: SHA-256 of the canonical JSON of the
 * scores and of the validators' weights.
 */
export function scoresDigest(file: {
  readonly scores: readonly ScoreRow[]
  readonly validators: { readonly weights: readonly WeightRow[] }
}): Sha256Hex {
  return documentDigest({ contributors: file.scores, validators: file.validators.weights })
}
