/** Payout files as the service makes them, from scores and weights, period after period. */
import { canonicalJson } from '../../domain/protocol/canonical-json.ts'
import { type Address, parseAddress } from '../../domain/protocol/hex.ts'
import { sha256Hex } from '../../domain/protocol/ids.ts'
import type { PayoutAccount, PayoutFile, PoolSplit, ScoreRow } from '../../domain/protocol/payout-file.ts'
import { payoutTree } from '../../domain/protocol/payout-tree.ts'
import { type AccountWeight, heldPart, splitPools, splitRevenue } from '../../domain/rewards/split-revenue.ts'
import { usefulnessWeights } from '../../domain/rewards/usefulness-weights.ts'
import { aStage } from '../support/governance-stage.ts'

const { genesis } = aStage()
export const accountOf = (n: number): Address => parseAddress(`0x${String(n).padStart(2, '0').repeat(20)}`)
const POOLS = { contributors: 700_000, validators: 200_000, reserve: 100_000 }
const HELD_PPM = 200_000
const FLOOR_PPM = 50_000

function aPool(amount: bigint, weights: readonly AccountWeight[], reserveWeight: bigint): PoolSplit {
  const { shares, reserve } = splitRevenue(amount, weights, reserveWeight)
  const sorted = [...weights].sort((one, other) => (one.account < other.account ? -1 : 1))
  return {
    amount: String(amount),
    weights: sorted.map(({ account, weight }) => ({ account, weight: String(weight) })),
    reserveWeight: String(reserveWeight),
    shares: shares.map(share => ({ account: share.account, amount: String(share.amount) })),
    reserve: String(reserve),
  }
}

type Period = {
  revenue: bigint
  scores: readonly ScoreRow[]
  judges: readonly AccountWeight[]
  /** Released and forfeited of what each account had held, in ppm of it. */
  releasedPpm?: number
  forfeitedPpm?: number
}

/** The file of the period after `before`, as the service makes it. */
export function aPayout(before: PayoutFile | null, period: Period): PayoutFile {
  const pools = splitPools(period.revenue, POOLS)
  const scores = [...period.scores].sort((one, other) => (one.account < other.account ? -1 : 1))
  const { weights, reserveWeight } = usefulnessWeights(scores, FLOOR_PPM)
  const contributors = aPool(pools.contributors, weights, reserveWeight)
  const validators = aPool(pools.validators, period.judges, 0n)
  const earned = new Map<Address, bigint>()
  for (const { account, amount } of [...contributors.shares, ...validators.shares])
    earned.set(account, (earned.get(account) ?? 0n) + BigInt(amount))
  const earlier = new Map(before?.accounts.map(row => [row.account, row]))
  const accounts = [...new Set([...earlier.keys(), ...earned.keys()])]
    .sort()
    .map((account): PayoutAccount => {
      const heldBefore = BigInt(earlier.get(account)?.heldAfter ?? '0')
      const cumulativeBefore = BigInt(earlier.get(account)?.cumulative ?? '0')
      const own = earned.get(account) ?? 0n
      const held = heldPart(own, HELD_PPM)
      const released = heldPart(heldBefore, period.releasedPpm ?? 0)
      const forfeited = heldPart(heldBefore, period.forfeitedPpm ?? 0)
      return {
        account,
        earned: String(own),
        held: String(held),
        released: String(released),
        forfeited: String(forfeited),
        heldBefore: String(heldBefore),
        heldAfter: String(heldBefore + held - released - forfeited),
        cumulativeBefore: String(cumulativeBefore),
        cumulative: String(cumulativeBefore + own - held + released),
      }
    })
  const leaves = accounts
    .map(row => ({ account: row.account, cumulativeAmount: BigInt(row.cumulative) }))
    .filter(leaf => leaf.cumulativeAmount > 0n)
  const added =
    pools.reserve +
    BigInt(contributors.reserve) +
    BigInt(validators.reserve) +
    accounts.reduce((sum, row) => sum + BigInt(row.forfeited), 0n)
  const reserveBefore = BigInt(before?.reserve.after ?? '0')
  return {
    kind: 'payout',
    schema: 1,
    genesis: { chainId: genesis.chainId, gOpen: genesis.gOpen, deploymentId: genesis.deploymentId },
    rewardClaims: genesis.rewardClaims,
    period: (before?.period ?? 0) + 1,
    revenue: String(period.revenue),
    previous:
      before === null ? null : { period: before.period, fileSha256: sha256Hex(canonicalJson(before)) },
    pools: { contributorsPpm: 700_000, validatorsPpm: 200_000, reservePpm: 100_000 },
    qualityFloorPpm: FLOOR_PPM,
    scores,
    contributors,
    validators,
    heldPpm: HELD_PPM,
    accounts,
    reserve: { before: String(reserveBefore), added: String(added), after: String(reserveBefore + added) },
    total: String(leaves.reduce((sum, leaf) => sum + leaf.cumulativeAmount, 0n)),
    root: leaves.length === 0 ? null : payoutTree(leaves).root,
  }
}

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
export const aPeriod: Period = {
  revenue: 1_000_003n,
  scores: [aScore(4, 1_000_000), aScore(1, 333_333), aScore(2, -50_000), aScore(3, -900_000)],
  judges: [
    { account: accountOf(9), weight: 7n },
    { account: accountOf(4), weight: 5n },
    { account: accountOf(8), weight: 0n },
  ],
}
