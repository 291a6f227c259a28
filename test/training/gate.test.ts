import fc from 'fast-check'
import {
  guardGate,
  type Interval,
  itemsForMargin,
  pairedDifference,
  pairedDifferenceOfCounts,
  targetGate,
  wilsonInterval,
} from '../../domain/training/gate.ts'
import { seededRandom } from '../support/copier.ts'
import { proveRuns } from '../support/prove-runs.ts'

const malformed = expect.objectContaining({ code: 'malformed' })
const discordant = fc
  .integer({ min: 1, max: 2_000 })
  .chain(n =>
    fc
      .tuple(fc.nat(n), fc.nat(n), fc.constant(n))
      .map(([one, other]): [number, number, number] => [one, Math.min(other, n - one), n]),
  )

const isInOrder = ({ lowPpm, valuePpm, highPpm }: Interval) =>
  [lowPpm, valuePpm, highPpm].every(Number.isSafeInteger) && lowPpm <= valuePpm && valuePpm <= highPpm

describe('the interval of one share', () => {
  it('is the published one', () => {
    // Newcombe 1998, Statistics in Medicine 17:857, table I, method 3: 81 of 263, 15 of 148, 0 of 20, 1 of 29.
    const shown = (successes: number, n: number) => {
      const { lowPpm, highPpm } = wilsonInterval(successes, n)
      return [lowPpm / 1e6, highPpm / 1e6].map(share => share.toFixed(4))
    }
    expect(shown(81, 263)).toEqual(['0.2553', '0.3662'])
    expect(shown(15, 148)).toEqual(['0.0624', '0.1605'])
    expect(shown(0, 20)).toEqual(['0.0000', '0.1611'])
    expect(shown(1, 29)).toEqual(['0.0061', '0.1718'])
  })

  it('holds the share, stays within 0 and 1, and mirrors', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 5_000 }).chain(n => fc.tuple(fc.nat(n), fc.constant(n))),
        ([successes, n]) => {
          const interval = wilsonInterval(successes, n)
          const mirrored = wilsonInterval(n - successes, n)
          expect(isInOrder(interval) && interval.lowPpm >= 0 && interval.highPpm <= 1_000_000).toBe(true)
          expect(Math.abs(interval.lowPpm + mirrored.highPpm - 1_000_000)).toBeLessThanOrEqual(1)
        },
      ),
      proveRuns(),
    )
  })

  it.each([
    [1, 0],
    [-1, 5],
    [6, 5],
    [0.5, 5],
    [Number.NaN, 5],
  ])('is refused for %d of %d', (successes, n) => {
    expect(() => wilsonInterval(successes, n)).toThrow(malformed)
  })
})

describe('the paired difference of two systems', () => {
  it('has the value of its formula, worked by hand', () => {
    // 40 and 5 discordant of 200: 41/202 and 6/202; 0.173267 +- 1.959964 * sqrt((47/202 - 0.173267^2) / 202).
    expect(pairedDifferenceOfCounts(40, 5, 200)).toEqual({
      valuePpm: 175_000,
      lowPpm: 111_187,
      highPpm: 235_347,
      n: 200,
      onlyFirst: 40,
      onlySecond: 5,
    })
  })

  it('is in order, mirrors when the systems are swapped, and is never without width', () => {
    fc.assert(
      fc.property(discordant, ([onlyFirst, onlySecond, n]) => {
        const one = pairedDifferenceOfCounts(onlyFirst, onlySecond, n)
        const other = pairedDifferenceOfCounts(onlySecond, onlyFirst, n)
        expect(one.valuePpm).toBe(0 - other.valuePpm)
        expect(one.lowPpm).toBe(0 - other.highPpm)
        expect(one.lowPpm).toBeLessThan(one.highPpm)
        expect(one.lowPpm).toBeGreaterThanOrEqual(-1_000_000)
        expect(
          [one.lowPpm, one.valuePpm, one.highPpm].every(
            ppm => Number.isSafeInteger(ppm) && !Object.is(ppm, -0),
          ),
        ).toBe(true)
      }),
      proveRuns(),
    )
  })

  it('only rises with an item more that the first alone gets right', () => {
    fc.assert(
      fc.property(
        discordant.filter(([onlyFirst, onlySecond, n]) => onlyFirst + onlySecond < n),
        ([onlyFirst, onlySecond, n]) => {
          const before = pairedDifferenceOfCounts(onlyFirst, onlySecond, n)
          const after = pairedDifferenceOfCounts(onlyFirst + 1, onlySecond, n)
          expect(after.valuePpm).toBeGreaterThanOrEqual(before.valuePpm)
          expect(after.lowPpm + after.highPpm).toBeGreaterThan(before.lowPpm + before.highPpm)
        },
      ),
      proveRuns(),
    )
  })

  it('holds the true difference in about 95 of 100 sets', () => {
    const random = seededRandom(7)
    for (const [first, second, n] of [
      [0.1, 0.05, 200],
      [0.02, 0.02, 200],
      [0.3, 0.1, 200],
      [0.01, 0.005, 400],
    ] as const) {
      let covered = 0
      for (let set = 0; set < 2_000; set++) {
        let [onlyFirst, onlySecond] = [0, 0]
        for (let item = 0; item < n; item++) {
          const draw = random()
          if (draw < first) onlyFirst++
          else if (draw < first + second) onlySecond++
        }
        const { lowPpm, highPpm } = pairedDifferenceOfCounts(onlyFirst, onlySecond, n)
        if (lowPpm <= (first - second) * 1e6 && (first - second) * 1e6 <= highPpm) covered++
      }
      expect(covered / 2_000).toBeGreaterThan(0.93)
      expect(covered / 2_000).toBeLessThan(0.99)
    }
  })

  it('counts items that only one system got right', () => {
    const of = (answers: string) => new Map([...answers].map((right, at) => [`item ${at}`, right === '1']))
    expect(pairedDifference(of('1110'), of('0100'))).toMatchObject({
      onlyFirst: 2,
      onlySecond: 0,
      n: 4,
      valuePpm: 500_000,
    })
  })

  it('is refused unless both ran on the same items', () => {
    const first = new Map([
      ['a', true],
      ['b', false],
    ])
    expect(() => pairedDifference(first, new Map([['a', true]]))).toThrow(malformed)
    expect(() => pairedDifference(new Map([['a', true]]), first)).toThrow(malformed)
    expect(() =>
      pairedDifference(
        first,
        new Map([
          ['a', true],
          ['c', false],
        ]),
      ),
    ).toThrow(malformed)
    expect(() => pairedDifference(new Map(), new Map())).toThrow(malformed)
    expect(() => pairedDifferenceOfCounts(3, 2, 4)).toThrow(malformed)
  })
})

describe('a gate', () => {
  const at = (lowPpm: number): Interval => ({ lowPpm, valuePpm: lowPpm + 10, highPpm: lowPpm + 20, n: 200 })

  it('for the target opens above the bar, not at it', () => {
    expect(targetGate(at(1)).passed).toBe(true)
    expect(targetGate(at(0)).passed).toBe(false)
    expect(targetGate(at(150_000), 150_000).passed).toBe(false)
    expect(targetGate(at(150_001), 150_000).passed).toBe(true)
  })

  it('for a guard opens above minus the margin, not at it', () => {
    expect(guardGate(at(-49_999), 50_000).passed).toBe(true)
    expect(guardGate(at(-50_000), 50_000).passed).toBe(false)
  })

  it('for a guard passes equal systems with as many items as the margin needs, and not with fewer', () => {
    for (const [margin, share] of [
      [50_000, 0.1],
      [30_000, 0.2],
      [100_000, 0.5],
    ] as const) {
      const n = itemsForMargin(margin, share * 1e6)
      const equal = (items: number) =>
        guardGate(pairedDifferenceOfCounts((items * share) / 2, (items * share) / 2, items), margin)
      expect(equal(n + 1).passed).toBe(true)
      expect(equal(n - 1).passed).toBe(false)
    }
    expect(itemsForMargin(50_000, 100_000)).toBe(168)
    expect(() => itemsForMargin(0, 100_000)).toThrow(malformed)
  })
})
