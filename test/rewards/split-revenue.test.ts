import fc from 'fast-check'
import type { Address } from '../../domain/protocol/hex.ts'
import { type AccountWeight, heldPart, splitPools, splitRevenue } from '../../domain/rewards/split-revenue.ts'
import { proveRuns } from '../support/prove-runs.ts'

const account = (number: number) => `0x${number.toString(16).padStart(40, '0')}` as Address
const malformed = expect.objectContaining({ code: 'malformed' })

const anyAmount = fc.bigInt({ min: 0n, max: 2n ** 128n })
const anyWeight = fc.oneof(
  fc.constant(0n),
  fc.bigInt({ min: 0n, max: 5n }),
  fc.bigInt({ min: 0n, max: 2n ** 90n }),
)
const anyWeights = fc
  .uniqueArray(fc.nat(200), { maxLength: 30 })
  .chain(numbers =>
    fc.tuple(
      ...numbers.map(number =>
        anyWeight.map((weight): AccountWeight => ({ account: account(number), weight })),
      ),
    ),
  )

const sum = (amounts: readonly { amount: bigint }[]) =>
  amounts.reduce((total, { amount }) => total + amount, 0n)

describe('a split', () => {
  it('conserves: the shares and the reserve are the amount, exactly', () => {
    fc.assert(
      fc.property(anyAmount, anyWeights, anyWeight, (amount, weights, reserveWeight) => {
        const { shares, reserve } = splitRevenue(amount, weights, reserveWeight)
        expect(sum(shares) + reserve).toBe(amount)
        expect(reserve >= 0n && shares.every(share => share.amount >= 0n)).toBe(true)
        expect(shares.map(share => share.account)).toEqual(weights.map(weight => weight.account).sort())
      }),
      proveRuns(),
    )
  })

  it('is within one base unit of the exact share, and gives nothing for no weight', () => {
    fc.assert(
      fc.property(anyAmount, anyWeights, anyWeight, (amount, weights, reserveWeight) => {
        const total = weights.reduce((all, { weight }) => all + weight, reserveWeight)
        const { shares, reserve } = splitRevenue(amount, weights, reserveWeight)
        const weightOf = new Map(weights.map(({ account, weight }) => [account, weight]))
        for (const share of shares) {
          const weight = weightOf.get(share.account)!
          if (weight === 0n) expect(share.amount).toBe(0n)
          else {
            const floor = (amount * weight) / total
            expect(share.amount === floor || share.amount === floor + 1n).toBe(true)
          }
        }
        if (total === 0n) expect(reserve).toBe(amount)
        if (reserveWeight === 0n && total > 0n) expect(reserve).toBe(0n)
      }),
      proveRuns(),
    )
  })

  it('gives no account less than another of lower weight, and equal weights differ by one unit at most', () => {
    fc.assert(
      fc.property(anyAmount, anyWeights, (amount, weights) => {
        const weightOf = new Map(weights.map(({ account, weight }) => [account, weight]))
        const { shares } = splitRevenue(amount, weights)
        for (const one of shares)
          for (const other of shares) {
            const difference = weightOf.get(one.account)! - weightOf.get(other.account)!
            if (difference > 0n) expect(one.amount >= other.amount).toBe(true)
            if (difference === 0n) expect(one.amount - other.amount <= 1n).toBe(true)
          }
      }),
      proveRuns(5),
    )
  })

  it('does not depend on the order of the weights, nor on their common factor', () => {
    fc.assert(
      fc.property(
        anyAmount,
        anyWeights,
        fc.bigInt({ min: 1n, max: 10n ** 12n }),
        (amount, weights, factor) => {
          const scaled = weights.map(({ account, weight }) => ({ account, weight: weight * factor }))
          expect(splitRevenue(amount, scaled.toReversed())).toEqual(splitRevenue(amount, weights))
        },
      ),
      proveRuns(),
    )
  })

  it('gives the units that are left to the largest remainders, and of equals to the lower account', () => {
    const weigh = (...weights: number[]) =>
      weights.map((weight, at) => ({ account: account(at + 1), weight: BigInt(weight) }))
    const amounts = (amount: bigint, weights: AccountWeight[]) =>
      splitRevenue(amount, weights).shares.map(share => share.amount)
    expect(amounts(10n, weigh(1, 1, 1))).toEqual([4n, 3n, 3n])
    expect(amounts(11n, weigh(1, 1, 1))).toEqual([4n, 4n, 3n])
    // Exact shares 1.5, 3.75, 4.75: two units are left, for the last and the middle one.
    expect(amounts(10n, weigh(6, 15, 19))).toEqual([1n, 4n, 5n])
    expect(amounts(0n, weigh(1, 2))).toEqual([0n, 0n])
    // The reserve is before every account.
    expect(splitRevenue(1n, weigh(1), 1n)).toMatchObject({ shares: [{ amount: 0n }], reserve: 1n })
  })

  it('of nobody’s work goes to the reserve', () => {
    expect(splitRevenue(7n, [])).toEqual({ shares: [], reserve: 7n })
    expect(splitRevenue(7n, [{ account: account(1), weight: 0n }])).toEqual({
      shares: [{ account: account(1), amount: 0n }],
      reserve: 7n,
    })
    expect(splitRevenue(9n, [{ account: account(1), weight: 1n }], 2n)).toMatchObject({ reserve: 6n })
  })

  it('is refused for negative numbers and for an account that comes twice', () => {
    expect(() => splitRevenue(-1n, [])).toThrow(malformed)
    expect(() => splitRevenue(1n, [{ account: account(1), weight: -1n }])).toThrow(malformed)
    expect(() => splitRevenue(1n, [], -1n)).toThrow(malformed)
    const twice = { account: account(1), weight: 1n }
    expect(() => splitRevenue(1n, [twice, twice])).toThrow(malformed)
  })
})

describe('pools and held parts', () => {
  it('conserve, whatever the shares', () => {
    const shares = fc
      .tuple(fc.nat(1_000_000), fc.nat(1_000_000))
      .map(([one, other]) => [Math.min(one, other), Math.max(one, other)] as const)
      .map(([low, high]) => ({ contributors: low, validators: high - low, reserve: 1_000_000 - high }))
    fc.assert(
      fc.property(anyAmount, shares, (revenue, pools) => {
        const { contributors, validators, reserve } = splitPools(revenue, pools)
        expect(contributors + validators + reserve).toBe(revenue)
        expect(contributors).toBe((revenue * BigInt(pools.contributors)) / 1_000_000n)
        expect(reserve * 1_000_000n >= revenue * BigInt(pools.reserve)).toBe(true)
      }),
      proveRuns(),
    )
  })

  it('are refused when the shares are not the whole', () => {
    expect(() => splitPools(1n, { contributors: 700_000, validators: 200_000, reserve: 99_999 })).toThrow(
      malformed,
    )
    expect(() => splitPools(1n, { contributors: 1_100_000, validators: -100_000, reserve: 0 })).toThrow(
      malformed,
    )
    expect(() => splitPools(1n, { contributors: 1_000_001, validators: 0, reserve: -1 })).toThrow(malformed)
    expect(() => splitPools(-1n, { contributors: 1_000_000, validators: 0, reserve: 0 })).toThrow(malformed)
  })

  it('are rounded down', () => {
    expect(heldPart(9n, 200_000)).toBe(1n)
    expect(heldPart(10n, 200_000)).toBe(2n)
    expect(() => heldPart(10n, 1_000_001)).toThrow(malformed)
    expect(() => heldPart(10n, 0.5)).toThrow(malformed)
  })
})
