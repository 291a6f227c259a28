/** Payout files as the service makes them, from scores and weights, period after period. */
import { canonicalJson } from '../../domain/protocol/canonical-json.ts'
import { type Address, parseAddress } from '../../domain/protocol/hex.ts'
import { sha256Hex } from '../../domain/protocol/ids.ts'
import type { ScoreRow } from '../../domain/protocol/payout-file.ts'
import { EMPTY_PAYOUTS, HELD_PPM, RELEASE_AFTER_PERIODS } from '../../domain/rewards/payout.ts'
import {
  type PayoutPeriod,
  type WrittenPayout,
  writePayoutFile,
} from '../../domain/rewards/write-payout-file.ts'
import { aStage } from '../support/governance-stage.ts'

const { genesis } = aStage()

export const accountOf = (n: number): Address => parseAddress(`0x${String(n).padStart(2, '0').repeat(20)}`)

export const aScore = (
  n: number,
  lowPpm: number,
  highPpm = lowPpm + 100_000,
  change: Partial<ScoreRow> = {},
): ScoreRow => ({
  account: accountOf(n),
  valuePpm: Math.trunc((lowPpm + highPpm) / 2),
  lowPpm,
  highPpm,
  records: 40 + n,
  qualityPpm: 900_000,
  originalityPpm: 1_000_000,
  ...change,
})

/** A proven, a most useful, an unproven and a harmful contributor; one account is also a judge. */
export const aPeriod: Omit<PayoutPeriod, 'period'> = {
  revenue: 1_000_003n,
  pools: { contributors: 700_000, validators: 200_000, reserve: 100_000 },
  qualityFloorPpm: 50_000,
  scores: [aScore(4, 1_000_000), aScore(1, 333_333), aScore(2, -50_000), aScore(3, -900_000)],
  validatorWeights: [
    { account: accountOf(9), weight: 7n },
    { account: accountOf(4), weight: 5n },
    { account: accountOf(8), weight: 0n },
  ],
  heldPpm: HELD_PPM,
  heldWhole: new Set(),
  releaseAfterPeriods: RELEASE_AFTER_PERIODS,
  penalties: [],
  underReview: new Set(),
}

/** The payout of the period after `before`. */
export function aPayout(
  before: WrittenPayout | null,
  change: Partial<Omit<PayoutPeriod, 'period'>> = {},
): WrittenPayout {
  const last = before?.file ?? null
  return writePayoutFile(
    {
      genesis,
      rewardClaims: genesis.rewardClaims,
      before: before?.state ?? EMPTY_PAYOUTS,
      previous: last === null ? null : { period: last.period, fileSha256: sha256Hex(canonicalJson(last)) },
    },
    { ...aPeriod, ...change, period: (last?.period ?? 0) + 1 },
  )
}
