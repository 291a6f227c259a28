/** From a period's revenue, scores and weights to its payout file, the new balances and the tree to claim from. */
import type { Address, Bytes32, Sha256Hex } from '../protocol/hex.ts'
import type { AccountState, PayoutFile, PoolSplit } from '../protocol/payout-file.ts'
import { type PayoutTree, payoutTree } from '../protocol/payout-tree.ts'
import type { Genesis } from '../protocol/typed-data.ts'
import {
  type AccountBalance,
  type PayoutState,
  type Penalty,
  settlePeriod,
  totalCumulative,
} from './payout.ts'
import { type AccountWeight, type PoolShares, splitPools, splitRevenue } from './split-revenue.ts'
import { type ContributorScores, usefulnessWeights } from './usefulness-weights.ts'

export type PayoutPeriod = {
  readonly period: number
  /** What RewardClaims received for the period, in base units. */
  readonly revenue: bigint
  readonly pools: PoolShares
  readonly qualityFloorPpm: number
  readonly scores: readonly ContributorScores[]
  readonly validatorWeights: readonly AccountWeight[]
  readonly heldPpm: number
  /** Accounts whose whole share of this period waits for evidence. */
  readonly heldWhole: ReadonlySet<Address>
  readonly releaseAfterPeriods: number
  readonly penalties: readonly Penalty[]
  readonly underReview: ReadonlySet<Address>
}

export type WrittenPayout = {
  readonly file: PayoutFile
  readonly state: PayoutState
  /** null when nobody was ever given anything. */
  readonly tree: PayoutTree | null
}

/**
 * Settles a period and writes its file. Equal input gives an equal file.
 * @throws OpenLedgerError malformed, period-settled
 */
export function writePayoutFile(
  facts: {
    readonly genesis: Genesis
    readonly rewardClaims: Address
    readonly before: PayoutState
    readonly previous: { readonly period: number; readonly fileSha256: Sha256Hex } | null
  },
  input: PayoutPeriod,
): WrittenPayout {
  const { genesis, before } = facts
  const pools = splitPools(input.revenue, input.pools)
  const scores = sortedByAccount(input.scores)
  const { weights, reserveWeight } = usefulnessWeights(scores, input.qualityFloorPpm)
  const contributors = poolSplit(pools.contributors, weights, reserveWeight, input)
  const validators = poolSplit(pools.validators, input.validatorWeights, 0n, input)
  const shares = [...contributors.shares, ...validators.shares].map(share => ({
    ...share,
    amount: BigInt(share.amount),
  }))
  const reserve = pools.reserve + BigInt(contributors.reserve) + BigInt(validators.reserve)
  const { state, payouts } = settlePeriod(before, { ...input, shares, reserve })

  const balancesBefore = new Map(before.accounts.map(balance => [balance.account, balance]))
  const balances = new Map(state.accounts.map(balance => [balance.account, balance]))
  const leaves = state.accounts
    .filter(({ cumulative }) => cumulative > 0n)
    .map(({ account, cumulative }) => ({ account, cumulativeAmount: cumulative }))
  const tree = leaves.length === 0 ? null : payoutTree(leaves)
  const file: PayoutFile = {
    kind: 'payout',
    schema: 1,
    genesis: { chainId: genesis.chainId, gOpen: genesis.gOpen, deploymentId: genesis.deploymentId },
    rewardClaims: facts.rewardClaims,
    period: input.period,
    revenue: String(input.revenue),
    previous: facts.previous,
    pools: {
      contributorsPpm: input.pools.contributors,
      validatorsPpm: input.pools.validators,
      reservePpm: input.pools.reserve,
    },
    qualityFloorPpm: input.qualityFloorPpm,
    scores: scores.map(row => ({
      account: row.account,
      valuePpm: row.valuePpm,
      lowPpm: row.lowPpm,
      highPpm: row.highPpm,
      records: row.records,
      qualityPpm: row.qualityPpm,
      originalityPpm: row.originalityPpm,
    })),
    contributors,
    validators,
    heldPpm: input.heldPpm,
    releaseAfterPeriods: input.releaseAfterPeriods,
    penalties: penaltyRows(input.penalties),
    underReview: [...input.underReview].sort(),
    accounts: payouts.map(({ account, paid, heldNow, released, penalty }) => ({
      account,
      before: accountState(balancesBefore.get(account)),
      paid: String(paid),
      heldNow: String(heldNow),
      released: String(released),
      penalty: String(penalty),
      after: accountState(balances.get(account)),
    })),
    reserve: {
      before: String(before.reserve),
      added: String(state.reserve - before.reserve),
      after: String(state.reserve),
    },
    total: String(totalCumulative(state)),
    root: tree === null ? null : (tree.root satisfies Bytes32),
  }
  return { file, state, tree }
}

function sortedByAccount<T extends { readonly account: Address }>(rows: readonly T[]): T[] {
  return [...rows].sort((one, other) => (one.account < other.account ? -1 : 1))
}

function poolSplit(
  amount: bigint,
  weights: readonly AccountWeight[],
  reserveWeight: bigint,
  { heldPpm, heldWhole }: Pick<PayoutPeriod, 'heldPpm' | 'heldWhole'>,
): PoolSplit & { shares: { account: Address; amount: string; heldPpm: number }[] } {
  const { shares, reserve } = splitRevenue(amount, weights, reserveWeight)
  return {
    amount: String(amount),
    weights: sortedByAccount(weights).map(({ account, weight }) => ({ account, weight: String(weight) })),
    reserveWeight: String(reserveWeight),
    shares: shares.map(share => ({
      account: share.account,
      amount: String(share.amount),
      heldPpm: heldWhole.has(share.account) ? 1_000_000 : heldPpm,
    })),
    reserve: String(reserve),
  }
}

function penaltyRows(penalties: readonly Penalty[]) {
  const sums = new Map<Address, bigint>()
  for (const { account, amount } of penalties) sums.set(account, (sums.get(account) ?? 0n) + amount)
  return sortedByAccount([...sums].map(([account, amount]) => ({ account, amount: String(amount) })))
}

function accountState(balance: AccountBalance | undefined): AccountState {
  return {
    cumulative: String(balance?.cumulative ?? 0n),
    held: (balance?.held ?? []).map(({ period, amount }) => ({ period, amount: String(amount) })),
  }
}
