import * as z from 'zod'
import { address, baseUnits, bytes32, instant, ppm, sha256 } from './common.ts'

const period = z.int().min(1)

export const settlePeriod = z.strictObject({ period })
export const settlePeriodAnswer = z.object({
  period,
  state: z.enum(['settled', 'running']),
  /** Of the machine settle-payouts; null when the period is settled. */
  execution: z.string().nullable(),
})

/** Measured usefulness in ppm of the most useful contributor's lower bound, with its 95 % interval. An estimate. */
export const usefulness = z.object({
  valuePpm: z.int(),
  lowPpm: z.int(),
  highPpm: z.int(),
  records: z.int().min(0),
  qualityPpm: ppm,
  originalityPpm: ppm,
})
export const standingRule = z.enum([
  'lower-bound',
  'quality-floor',
  'harmful',
  'not-trained-on',
  'no-quality',
])
const poolPart = z.object({
  /** Only ratios within a pool count. */
  weight: z.string(),
  amountWei: baseUnits,
  /** Part that waits for later evidence. */
  heldPpm: ppm,
})
const contributorPart = poolPart.extend({
  usefulness,
  rule: standingRule,
  /** The rule as a sentence for the person. */
  reason: z.string(),
})

export const payoutView = z.object({
  period,
  datanetId: bytes32,
  settledAt: instant,
  revenueWei: baseUnits,
  pools: z.object({ contributorsWei: baseUnits, validatorsWei: baseUnits, reserveWei: baseUnits }),
  /** Sum of all that was ever given to accounts: what the root pays in all. */
  totalWei: baseUnits,
  /** What the reserve gained, pools and rests and penalties together. */
  reserveAddedWei: baseUnits,
  root: bytes32.nullable(),
  /** A public file: `GET /v1/files/{key}`; docs/protocol.md section 12 says how to compute it again. */
  file: z.object({ key: z.string(), sha256 }),
  /** Place of the payout leaf in the log; null until it is there. */
  logIndex: z.int().nullable(),
  /** The block at which the revenue was read. */
  readAt: z.object({ blockNumber: z.int(), blockHash: bytes32 }),
  /** null until the root is on chain. */
  proposal: z.object({ transaction: bytes32.nullable(), logHead: bytes32 }).nullable(),
  contributors: z.array(contributorPart.extend({ account: address })),
  validators: z.array(poolPart.extend({ account: address })),
})
export type PayoutView = z.infer<typeof payoutView>

export const payoutList = z.object({
  /** The period that a deposit belongs to now. */
  openPeriod: period,
  items: z.array(payoutView),
  cursor: z.string().nullable(),
})

export const accountRewards = z.object({
  account: address,
  cumulativeWei: baseUnits,
  heldWei: baseUnits,
  claimedWei: baseUnits,
  claimableWei: baseUnits,
  /** For `RewardClaims.claim(account, cumulativeWei, siblings)`; null when nothing can be claimed yet. */
  proof: z.object({ period, root: bytes32, cumulativeWei: baseUnits, siblings: z.array(bytes32) }).nullable(),
  /** A root in its dispute window: it pays from then on unless governors cancel it. */
  pending: z.object({ period, claimableAt: instant }).nullable(),
  /** Newest first. */
  periods: z.array(
    z.object({
      period,
      datanetId: bytes32,
      contributor: contributorPart.nullable(),
      validator: poolPart.nullable(),
      paidWei: baseUnits,
      heldNowWei: baseUnits,
      releasedWei: baseUnits,
      penaltyWei: baseUnits,
      cumulativeWei: baseUnits,
    }),
  ),
})
export type AccountRewardsView = z.infer<typeof accountRewards>
