/**
 * Splitting an amount by weights, in integers: multiply first, one floor each, then the units that the floors
 * left over go one by one to the largest remainders (Hamilton's method), ties to the lower account. So the
 * parts always sum to the whole, nobody is more than one base unit from the exact share, and anybody who has
 * the weights computes the same parts.
 */
import { OpenLedgerError } from '../errors.ts'
import type { Address } from '../protocol/hex.ts'

const PPM = 1_000_000n

/** Any non-negative integer weight; only ratios count. */
export type AccountWeight = { readonly account: Address; readonly weight: bigint }
export type AccountAmount = { readonly account: Address; readonly amount: bigint }

function requireAmount(amount: bigint, what: string): void {
  if (amount < 0n)
    throw new OpenLedgerError('malformed', `${what} cannot be negative`, {
      expected: 'an integer from 0',
      seen: `${amount}`,
    })
}

/** The reserve sorts before every account (it has no address), but takes part like one. */
const RESERVE = ''
type Claimant = { readonly name: string; readonly weight: bigint }

function divide(amount: bigint, claimants: readonly Claimant[]): Map<string, bigint> {
  const total = claimants.reduce((sum, { weight }) => sum + weight, 0n)
  const parts = claimants.map(({ name, weight }) => ({
    name,
    share: (amount * weight) / total,
    remainder: (amount * weight) % total,
  }))
  // At most one unit less than there are claimants, so this stays a count.
  const left = Number(parts.reduce((rest, { share }) => rest - share, amount))
  const byRemainder = [...parts].sort((one, other) =>
    one.remainder === other.remainder
      ? one.name < other.name
        ? -1
        : 1
      : one.remainder > other.remainder
        ? -1
        : 1,
  )
  const extra = new Set(byRemainder.slice(0, left).map(({ name }) => name))
  return new Map(parts.map(({ name, share }) => [name, extra.has(name) ? share + 1n : share]))
}

export type Split = {
  /** One row for every weight given, sorted by account; they and the reserve sum to the amount. */
  readonly shares: readonly AccountAmount[]
  readonly reserve: bigint
}

/**
 * Splits `amount` base units by weight. Weight zero gets nothing; where all weights are zero, all goes to the
 * reserve. `reserveWeight` lets the reserve take part by a weight of its own.
 * @throws OpenLedgerError malformed for a negative amount or weight, or an account that comes twice
 */
export function splitRevenue(amount: bigint, weights: readonly AccountWeight[], reserveWeight = 0n): Split {
  requireAmount(amount, 'an amount')
  requireAmount(reserveWeight, 'a weight')
  for (const { weight } of weights) requireAmount(weight, 'a weight')
  if (new Set(weights.map(({ account }) => account)).size !== weights.length)
    throw new OpenLedgerError('malformed', 'an account has two weights', {
      expected: 'one weight an account',
    })

  const accounts = [...weights].sort((one, other) => (one.account < other.account ? -1 : 1))
  const claimants: Claimant[] = accounts
    .map(({ account, weight }): Claimant => ({ name: account, weight }))
    .concat({ name: RESERVE, weight: reserveWeight })
    .filter(({ weight }) => weight > 0n)
  if (claimants.length === 0)
    return { shares: accounts.map(({ account }) => ({ account, amount: 0n })), reserve: amount }
  const parts = divide(amount, claimants)
  return {
    shares: accounts.map(({ account }) => ({ account, amount: parts.get(account) ?? 0n })),
    reserve: parts.get(RESERVE) ?? 0n,
  }
}

/** Part of a share that is held back against later evidence: floor(amount * heldPpm / 1_000_000). */
export function heldPart(amount: bigint, heldPpm: number): bigint {
  requireAmount(amount, 'an amount')
  if (!(Number.isInteger(heldPpm) && heldPpm >= 0 && heldPpm <= 1_000_000))
    throw new OpenLedgerError('malformed', 'not a share', {
      expected: 'ppm from 0 to 1000000',
      seen: `${heldPpm}`,
    })
  return (amount * BigInt(heldPpm)) / PPM
}

export type PoolName = 'contributors' | 'validators' | 'reserve'
export type PoolShares = { readonly [name in PoolName]: number }
export type Pools = { readonly [name in PoolName]: bigint }

/**
 * Splits a period's revenue into pools by ppm that sum to 1_000_000: contributors and validators get their
 * floor, and the reserve what is left, so that rounding never favors anybody who is paid.
 * @throws OpenLedgerError malformed when the shares do not sum to 1_000_000
 */
export function splitPools(revenue: bigint, shares: PoolShares): Pools {
  const sum = shares.contributors + shares.validators + shares.reserve
  if (sum !== 1_000_000)
    throw new OpenLedgerError('malformed', 'pool shares do not sum to the whole', {
      expected: '1000000',
      seen: `${sum}`,
    })
  heldPart(revenue, shares.reserve)
  const contributors = heldPart(revenue, shares.contributors)
  const validators = heldPart(revenue, shares.validators)
  return { contributors, validators, reserve: revenue - contributors - validators }
}
