/**
 * Gates: may this version go on? A gate compares two systems on the same items, whose number was fixed
 * before, and looks at the 95 % interval of the paired difference, never at the difference alone.
 * All results are integers in ppm; lower bounds are rounded down and upper bounds up, so that rounding
 * never opens a gate. IEEE 754 requires square roots to be exact to the last bit, so every language that
 * follows the formulas here gets the same integers.
 */
import { OpenLedgerError } from '../errors.ts'

const PPM = 1_000_000
/** Two-sided 95 % of the normal distribution. */
const Z95 = 1.959963984540054

/** A share with its interval, in ppm, over n trials. */
export type Interval = {
  readonly valuePpm: number
  readonly lowPpm: number
  readonly highPpm: number
  readonly n: number
}

// Without the sum, a bound of zero would come out as minus zero, which canonical JSON cannot tell from zero.
const floorPpm = (value: number) => Math.floor(value * PPM) + 0
const ceilPpm = (value: number) => Math.ceil(value * PPM) + 0
const clamp = (value: number, low: number, high: number) => Math.min(high, Math.max(low, value))

function requireCount(isCount: boolean, seen: string): void {
  if (!isCount)
    throw new OpenLedgerError('malformed', 'not a count of successes', {
      expected: '0 <= successes <= n, n > 0',
      seen,
    })
}

/**
 * Wilson score interval (Wilson 1927) of one proportion: covers well also for few items and for shares near
 * 0 and 1, where the simple interval has width zero. @throws OpenLedgerError malformed
 */
export function wilsonInterval(successes: number, n: number, z = Z95): Interval {
  requireCount(
    Number.isSafeInteger(successes) && Number.isSafeInteger(n) && n > 0 && successes >= 0 && successes <= n,
    `${successes} of ${n}`,
  )
  const share = successes / n
  const center = (share + (z * z) / (2 * n)) / (1 + (z * z) / n)
  const half = (z / (1 + (z * z) / n)) * Math.sqrt((share * (1 - share)) / n + (z * z) / (4 * n * n))
  return {
    valuePpm: Math.floor((successes * PPM) / n),
    // At the ends the formula gives exactly 0 and 1, which floating point may miss by a hair.
    lowPpm: successes === 0 ? 0 : floorPpm(clamp(center - half, 0, share)),
    highPpm: successes === n ? PPM : ceilPpm(clamp(center + half, share, 1)),
    n,
  }
}

/** One system's answers on the items of a set: item id -> exactly right or not. */
export type ItemResults = ReadonlyMap<string, boolean>

export type PairedDifference = Interval & {
  /** Items that only the first, and only the second, system got right. */
  readonly onlyFirst: number
  readonly onlySecond: number
}

/**
 * Interval of the difference of two proportions on the same items: the adjusted Wald interval for paired
 * data (Bonett and Price 2012, J. Educ. Behav. Stat. 37:479). One is added to both discordant counts and two
 * to n; then difference +- z * sqrt((p10 + p01 - (p10 - p01)^2) / (n + 2)). Unlike the plain Wald interval
 * it has a width when the systems agree on every item. Swapping the systems mirrors the interval.
 * Counts may be fractional where they are expected counts. `valuePpm` is the plain difference, rounded toward
 * zero. @throws OpenLedgerError malformed
 */
export function pairedDifferenceOfCounts(onlyFirst: number, onlySecond: number, n: number): PairedDifference {
  requireCount(
    Number.isSafeInteger(n) &&
      n > 0 &&
      onlyFirst >= 0 &&
      onlySecond >= 0 &&
      onlyFirst + onlySecond <= n * (1 + Number.EPSILON),
    `${onlyFirst} and ${onlySecond} of ${n}`,
  )
  const first = (onlyFirst + 1) / (n + 2)
  const second = (onlySecond + 1) / (n + 2)
  const difference = first - second
  const half = Z95 * Math.sqrt((first + second - difference * difference) / (n + 2))
  return {
    valuePpm: Math.trunc(((onlyFirst - onlySecond) * PPM) / n) + 0,
    lowPpm: floorPpm(clamp(difference - half, -1, 1)),
    highPpm: ceilPpm(clamp(difference + half, -1, 1)),
    n,
    onlyFirst,
    onlySecond,
  }
}

/**
 * Paired difference of exact match: positive when the first system is better.
 * @throws OpenLedgerError malformed unless both results are over the same items
 */
export function pairedDifference(first: ItemResults, second: ItemResults): PairedDifference {
  let onlyFirst = 0
  let onlySecond = 0
  for (const [id, firstIsRight] of first) {
    const secondIsRight = second.get(id)
    if (secondIsRight === undefined || first.size !== second.size)
      // Leaving out the items that went badly would open any gate.
      throw new OpenLedgerError('malformed', 'the two systems were not run on the same items', {
        expected: `${first.size} equal items`,
        seen: `${second.size}`,
      })
    if (firstIsRight && !secondIsRight) onlyFirst++
    if (secondIsRight && !firstIsRight) onlySecond++
  }
  return pairedDifferenceOfCounts(onlyFirst, onlySecond, first.size)
}

export type GateDecision = {
  readonly passed: boolean
  readonly rule: 'target' | 'guard'
  /** The lower bound has to be above this. */
  readonly abovePpm: number
  readonly interval: Interval
}

/** The target has to improve: passed when the lower bound is above `abovePpm` (0 unless the proposal asks more). */
export function targetGate(interval: Interval, abovePpm = 0): GateDecision {
  return { passed: interval.lowPpm > abovePpm, rule: 'target', abovePpm, interval }
}

/** A guard may lose at most its margin: passed when the lower bound is above minus `marginPpm`. */
export function guardGate(interval: Interval, marginPpm: number): GateDecision {
  return { passed: interval.lowPpm > -marginPpm, rule: 'guard', abovePpm: 0 - marginPpm, interval }
}

/**
 * Items needed so that a guard of this margin passes two equal systems: the half width
 * z * sqrt((d + (2 - 2 d) / (n + 2)) / (n + 2)) must stay below the margin when a share d of the items is discordant.
 * With a margin of 0.05 and d = 0.1 that is 168. @throws OpenLedgerError malformed
 */
export function itemsForMargin(marginPpm: number, discordantPpm: number): number {
  if (!(marginPpm > 0 && marginPpm <= PPM && discordantPpm >= 0 && discordantPpm <= PPM))
    throw new OpenLedgerError('malformed', 'not a margin', { expected: 'shares in ppm, the margin above 0' })
  const margin = marginPpm / PPM
  const discordant = discordantPpm / PPM
  const halfWidth = (n: number) => Z95 * Math.sqrt((discordant + (2 - 2 * discordant) / (n + 2)) / (n + 2))
  let n = 1
  while (halfWidth(n) >= margin) n *= 2
  let tooFew = Math.floor(n / 2)
  while (n - tooFew > 1) {
    const middle = Math.floor((n + tooFew) / 2)
    if (halfWidth(middle) < margin) n = middle
    else tooFew = middle
  }
  return n
}
