import fc from 'fast-check'
import type { Address } from '../../domain/protocol/hex.ts'
import { splitRevenue } from '../../domain/rewards/split-revenue.ts'
import {
  type ContributorScores,
  logUsefulness,
  type MeasuredUsefulness,
  usefulnessStanding,
  usefulnessWeights,
} from '../../domain/rewards/usefulness-weights.ts'
import { proveRuns } from '../support/prove-runs.ts'

const account = (number: number) => `0x${number.toString(16).padStart(40, '0')}` as Address
const malformed = expect.objectContaining({ code: 'malformed' })
const FLOOR_PPM = 100_000

const measured = (number: number, low: number, high: number, records = 10): MeasuredUsefulness => ({
  account: account(number),
  value: (low + high) / 2,
  low,
  high,
  records,
})
const scored = (
  rows: readonly MeasuredUsefulness[],
  changes: Partial<ContributorScores> = {},
): ContributorScores[] =>
  logUsefulness(rows).map(row => ({ ...row, qualityPpm: 1_000_000, originalityPpm: 1_000_000, ...changes }))

const anyMeasured = fc.uniqueArray(fc.nat(100), { minLength: 1, maxLength: 12 }).chain(numbers =>
  fc.tuple(
    ...numbers.map(number =>
      fc
        .tuple(
          fc
            .tuple(...Array.from({ length: 3 }, () => fc.double({ min: -1e6, max: 1e6, noNaN: true })))
            .map(bounds => bounds.sort((one, other) => one - other)),
          fc.integer({ min: 1, max: 500 }),
        )
        .map(
          ([[low, value, high], records]): MeasuredUsefulness => ({
            account: account(number),
            value: value!,
            low: low!,
            high: high!,
            records,
          }),
        ),
    ),
  ),
)

describe('logged usefulness', () => {
  it('is integers in order, whose signs never say more than was measured', () => {
    fc.assert(
      fc.property(anyMeasured, rows => {
        const byAccount = new Map(rows.map(row => [row.account, row]))
        for (const { account, valuePpm, lowPpm, highPpm } of logUsefulness(rows)) {
          const { low, high } = byAccount.get(account)!
          expect(
            [valuePpm, lowPpm, highPpm].every(ppm => Number.isSafeInteger(ppm) && !Object.is(ppm, -0)),
          ).toBe(true)
          expect(lowPpm <= valuePpm && valuePpm <= highPpm).toBe(true)
          if (lowPpm > 0) expect(low).toBeGreaterThan(0)
          if (highPpm < 0) expect(high).toBeLessThan(0)
          expect(lowPpm).toBeLessThanOrEqual(1_000_000)
        }
      }),
      proveRuns(),
    )
  })

  it('does not depend on the scale of the measurement', () => {
    const rows = [measured(1, 2, 6), measured(2, 1, 3), measured(3, -1, 1)]
    const scaled = rows.map(row => ({
      ...row,
      value: row.value * 1024,
      low: row.low * 1024,
      high: row.high * 1024,
    }))
    expect(logUsefulness(scaled)).toEqual(logUsefulness(rows))
    expect(logUsefulness(rows).map(({ lowPpm }) => lowPpm)).toEqual([1_000_000, 500_000, -500_000])
  })

  it('is refused for what is no interval', () => {
    expect(() => logUsefulness([measured(1, Number.NaN, 1)])).toThrow(malformed)
    expect(() => logUsefulness([measured(1, 0, Number.POSITIVE_INFINITY)])).toThrow(malformed)
    expect(() => logUsefulness([{ ...measured(1, 0, 1), value: 2 }])).toThrow(malformed)
    expect(() => logUsefulness([measured(1, 0, 1), measured(1, 0, 1)])).toThrow(malformed)
    expect(() => logUsefulness([measured(1, 0, 1, -1)])).toThrow(malformed)
  })
})

describe('a contributor', () => {
  it('is paid by the lower bound when useful, the floor when that is open, nothing when harmful', () => {
    const { weights, reviews, reserveWeight } = usefulnessWeights(
      scored([measured(1, 2, 3), measured(2, 1, 9), measured(3, -1, 5), measured(4, -5, -1)]),
      FLOOR_PPM,
    )
    expect(weights.map(({ standing }) => standing)).toEqual(['proven', 'proven', 'unproven', 'harmful'])
    const unit = weights[0]!.weight / 40n
    // 40 records in all: the useful weigh lowPpm * 40, the floor is 100,000 ppm * 10 records.
    expect(weights.map(({ weight }) => weight / unit)).toEqual([40n, 20n, 1n, 0n])
    expect(reviews).toEqual([account(4)])
    expect(reserveWeight).toBe(0n)
  })

  it.each([
    [1, 5, 'proven'],
    [0, 5, 'unproven'],
    [-1, 0, 'unproven'],
    [-5, 5, 'unproven'],
    [-5, -1, 'harmful'],
  ])('with the interval %d to %d ppm is %s', (lowPpm, highPpm, standing) => {
    expect(usefulnessStanding({ lowPpm, highPpm })).toBe(standing)
  })

  it('who is proven never gets less than one with as many records who is not', () => {
    fc.assert(
      fc.property(anyMeasured, fc.nat(1_000_000), (rows, floorPpm) => {
        const { weights } = usefulnessWeights(scored(rows.map(row => ({ ...row, records: 10 }))), floorPpm)
        const of = (standing: string) =>
          weights.filter(weight => weight.standing === standing).map(({ weight }) => weight)
        for (const proven of of('proven')) {
          for (const unproven of of('unproven')) expect(proven >= unproven).toBe(true)
          for (const harmful of of('harmful')) expect(proven > harmful).toBe(true)
        }
      }),
      proveRuns(),
    )
  })

  it('gains nothing by spreading unproven records over accounts', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 30 }), { minLength: 1, maxLength: 10 }), pieces => {
        const honest = measured(1, 3, 4, 100)
        const together = pieces.reduce((all, piece) => all + piece, 0)
        const weightOfOthers = (rows: readonly MeasuredUsefulness[]) =>
          usefulnessWeights(scored([honest, ...rows]), FLOOR_PPM)
            .weights.slice(1)
            .reduce((sum, { weight }) => sum + weight, 0n)
        const one = weightOfOthers([measured(2, -1, 1, together)])
        const many = weightOfOthers(pieces.map((piece, at) => measured(2 + at, -1, 1, piece)))
        expect(many).toBe(one)
      }),
      proveRuns(),
    )
  })

  it('leaves the pool to the reserve where nobody is proven, but for the floors', () => {
    const { weights, reserveWeight } = usefulnessWeights(
      scored([measured(1, -1, 1, 30), measured(2, -1, 1, 10)]),
      FLOOR_PPM,
    )
    const { shares, reserve } = splitRevenue(1_100_000n, weights, reserveWeight)
    expect(shares.map(({ amount }) => amount)).toEqual([75_000n, 25_000n])
    expect(reserve).toBe(1_000_000n)
  })

  it('is paid in proportion to quality and originality', () => {
    const weigh = (changes: Partial<ContributorScores>) =>
      usefulnessWeights(scored([measured(1, 1, 2)], changes), FLOOR_PPM).weights[0]!.weight
    expect(weigh({ qualityPpm: 500_000 }) * 2n).toBe(weigh({}))
    expect(weigh({ originalityPpm: 250_000 }) * 4n).toBe(weigh({}))
    expect(weigh({ originalityPpm: 0 })).toBe(0n)
  })

  it('is refused with scores that are not ppm', () => {
    expect(() =>
      usefulnessWeights(scored([measured(1, 1, 2)], { qualityPpm: 1_000_001 }), FLOOR_PPM),
    ).toThrow(malformed)
    expect(() => usefulnessWeights(scored([measured(1, 1, 2)], { lowPpm: 0.5 }), FLOOR_PPM)).toThrow(
      malformed,
    )
    expect(() => usefulnessWeights(scored([measured(1, 1, 2)]), -1)).toThrow(malformed)
  })
})
