/**
 * From measured usefulness to the weights by which contributors share their pool.
 *
 * Usefulness comes from the measuring job as `{ value, low, high }` in a scale of its own (cosines of
 * gradients), for the contributor's whole contribution. It is logged as integers in ppm of the largest lower
 * bound of the round (of the largest absolute bound where none is above zero), lower bounds rounded down and
 * upper bounds up, and everything that is paid follows from those integers:
 *
 *   lowPpm > 0           proven    paid by its lower bound: what it is sure to have helped
 *   lowPpm <= 0 <= high  unproven  paid the quality floor: honest work whose effect cannot be told from none
 *   highPpm < 0          harmful   paid nothing, and a review is opened
 *
 *   weight(proven)   = max(lowPpm * R, floorPpm * records) * quality * originality
 *   weight(unproven) = floorPpm * records * quality * originality
 *   reserve          = 1_000_000 * R * 1_000_000 * 1_000_000 where nobody is proven, else 0
 *
 * with R the records of the round and quality and originality in ppm. The floor is paid by records, so that
 * nobody gains by spreading records over accounts, and all floors together weigh at most floorPpm of the most
 * useful contributor. Where nobody is proven useful the reserve takes that contributor's place: a pool is not
 * emptied into floors.
 */
import { OpenLedgerError } from '../errors.ts'
import type { Address } from '../protocol/hex.ts'
import type { AccountWeight } from './split-revenue.ts'

const PPM = 1_000_000

export type MeasuredUsefulness = {
  readonly account: Address
  readonly value: number
  readonly low: number
  readonly high: number
  /** Records of the contributor in the train part. */
  readonly records: number
}

export type LoggedUsefulness = {
  readonly account: Address
  readonly valuePpm: number
  readonly lowPpm: number
  readonly highPpm: number
  readonly records: number
}

/**
 * Integers for the log, sorted by account.
 * @throws OpenLedgerError malformed unless low <= value <= high, all finite, and accounts differ
 */
export function logUsefulness(measured: readonly MeasuredUsefulness[]): LoggedUsefulness[] {
  for (const { value, low, high, records } of measured)
    if (
      !(
        Number.isFinite(low) &&
        Number.isFinite(high) &&
        low <= value &&
        value <= high &&
        Number.isSafeInteger(records) &&
        records >= 0
      )
    )
      throw new OpenLedgerError('malformed', 'not a measured usefulness', {
        expected: 'low <= value <= high, finite, and a count of records',
        seen: `${low}, ${value}, ${high}, ${records}`,
      })
  if (new Set(measured.map(({ account }) => account)).size !== measured.length)
    throw new OpenLedgerError('malformed', 'an account was measured twice', {
      expected: 'one measurement an account',
    })
  const largestLow = Math.max(0, ...measured.map(({ low }) => low))
  const largest = Math.max(0, ...measured.flatMap(({ low, high }) => [Math.abs(low), Math.abs(high)]))
  const unit = largestLow > 0 ? largestLow : largest
  // The sum turns minus zero into zero. A bound far beyond the unit is clipped: only its sign is used.
  const scaled = (amount: number, round: (value: number) => number) =>
    unit === 0 ? 0 : Math.max(-MAX_PPM, Math.min(MAX_PPM, round((amount / unit) * PPM))) + 0
  return [...measured]
    .sort((one, other) => (one.account < other.account ? -1 : 1))
    .map(({ account, value, low, high, records }) => ({
      account,
      valuePpm: scaled(value, Math.round),
      lowPpm: scaled(low, Math.floor),
      highPpm: scaled(high, Math.ceil),
      records,
    }))
}

/** A thousand times the most useful contributor; keeps logged numbers within safe integers. */
const MAX_PPM = 1_000 * PPM

export type UsefulnessStanding = 'proven' | 'unproven' | 'harmful'

/** What the logged interval says. */
export function usefulnessStanding({
  lowPpm,
  highPpm,
}: Pick<LoggedUsefulness, 'lowPpm' | 'highPpm'>): UsefulnessStanding {
  if (lowPpm > 0) return 'proven'
  return highPpm < 0 ? 'harmful' : 'unproven'
}

export type ContributorScores = LoggedUsefulness & {
  /** Mean quality of the contributor's records, 0 to 1_000_000. */
  readonly qualityPpm: number
  /** Part of the contributor's submitted records that were no copies, 0 to 1_000_000. */
  readonly originalityPpm: number
}

export type ContributorWeight = AccountWeight & { readonly standing: UsefulnessStanding }

export type UsefulnessWeights = {
  /** Sorted by account; for `splitRevenue`. */
  readonly weights: readonly ContributorWeight[]
  readonly reserveWeight: bigint
  /** Accounts whose records did measurable harm: somebody has to look at them. */
  readonly reviews: readonly Address[]
}

/**
 * Weights of the contributors' pool by the formula above, from logged integers alone.
 * @param qualityFloorPpm what the floors of all records together weigh against the most useful contributor
 * @throws OpenLedgerError malformed for scores that are not ppm
 */
export function usefulnessWeights(
  scores: readonly ContributorScores[],
  qualityFloorPpm: number,
): UsefulnessWeights {
  const isPpm = (value: number) => Number.isInteger(value) && value >= 0 && value <= PPM
  for (const { qualityPpm, originalityPpm, lowPpm, highPpm, records } of scores)
    if (
      !(isPpm(qualityPpm) && isPpm(originalityPpm) && [lowPpm, highPpm, records].every(Number.isSafeInteger))
    )
      throw new OpenLedgerError('malformed', 'not logged scores', { expected: 'integers in ppm' })
  if (!isPpm(qualityFloorPpm)) throw new OpenLedgerError('malformed', 'not a floor', { expected: 'ppm' })

  const allRecords = BigInt(scores.reduce((sum, { records }) => sum + records, 0))
  const floor = BigInt(qualityFloorPpm)
  const weights = [...scores]
    .sort((one, other) => (one.account < other.account ? -1 : 1))
    .map((score): ContributorWeight => {
      const standing = usefulnessStanding(score)
      const byFloor = floor * BigInt(score.records)
      const byUse = standing === 'proven' ? BigInt(score.lowPpm) * allRecords : 0n
      const usefulness = standing === 'harmful' ? 0n : byUse > byFloor ? byUse : byFloor
      return {
        account: score.account,
        standing,
        weight: usefulness * BigInt(score.qualityPpm) * BigInt(score.originalityPpm),
      }
    })
  const isAnyProven = weights.some(({ standing }) => standing === 'proven')
  return {
    weights,
    reserveWeight: isAnyProven ? 0n : BigInt(PPM) ** 3n * allRecords,
    reviews: weights.filter(({ standing }) => standing === 'harmful').map(({ account }) => account),
  }
}
