/** The payout file of docs/protocol.md section 12, computed again from scores and weights to the last unit. */
import { sha256, toHex, utf8ToBytes } from './bytes.ts'
import { canonical, documentDigest, parseCanonicalText } from './canonical-json.ts'
import { checkLogProof, logHeadDigest } from './log-proof.ts'
import { payoutLeaf, payoutRoot } from './merkle.ts'
import {
  type AccountRow,
  asAccountRows,
  asDecisions,
  heldOf,
  requireAscending,
  requireSettled,
  type Share,
  spell,
  sum,
} from './payout-accounts.ts'
import { type Report, same, verification } from './report.ts'
import {
  asAddress,
  asAmount,
  asArray,
  asCount,
  asInteger,
  asObject,
  asSha256,
  asText,
  type Json,
} from './shape.ts'
import { asDomain, NO_DEPLOYMENT, requireDomain, type Trust } from './trust.ts'

export interface PayoutExpectations extends Trust {
  /** Address of RewardClaims. */
  readonly rewardClaims?: string
  /** The file of the period before, as text. */
  readonly previousFile?: string
  /** Proof of the log's `scores` leaf of the period. */
  readonly scoresProof?: unknown
  /** Proof of the log's `payout` leaf of the period. */
  readonly payoutProof?: unknown
  /** What the caller read from RewardClaims: `fundedOf(period)`, and the root and total that it holds. */
  readonly onChain?: {
    readonly fundedOf?: bigint
    readonly root?: string
    readonly total?: bigint
    readonly logHead?: string
  }
}

const PPM = 1_000_000n

interface Row {
  readonly account: string
  readonly amount: bigint
}

function asPpm(value: unknown, path: string): number {
  const ppm = asCount(value, path)
  if (ppm > 1_000_000) throw new Error(`${path} is above 1,000,000 ppm`)
  return ppm
}

/** Rows of accounts with an amount under `name`, strictly ascending. */
function asRows(value: unknown, name: string, path: string): Row[] {
  const rows = asArray(value, path).map((one, at) => {
    const row = asObject(one, `${path}[${at}]`)
    return {
      account: asAddress(row.account, `${path}[${at}].account`),
      amount: asAmount(row[name], `${path}[${at}].${name}`),
    }
  })
  requireAscending(
    rows.map(row => row.account),
    path,
  )
  return rows
}

/**
 * An amount in proportion to weights: exact shares rounded down, then one unit each to the largest remainders,
 * ties to the lower account, the reserve before all accounts. All to the reserve when nobody has weight.
 */
function split(
  amount: bigint,
  weights: readonly Row[],
  reserveWeight: bigint,
): { shares: Map<string, bigint>; reserve: bigint } {
  const claims = [{ account: '', amount: reserveWeight }, ...weights].filter(claim => claim.amount > 0n)
  const whole = sum(claims.map(claim => claim.amount))
  if (whole === 0n) return { shares: new Map(), reserve: amount }
  const shares = new Map(claims.map(claim => [claim.account, (amount * claim.amount) / whole]))
  const order = claims
    .map(claim => ({ account: claim.account, rest: (amount * claim.amount) % whole }))
    .sort((a, b) => (a.rest > b.rest ? -1 : a.rest < b.rest ? 1 : a.account < b.account ? -1 : 1))
  let left = amount - sum(shares.values())
  for (const { account } of order) {
    if (left === 0n) break
    shares.set(account, shares.get(account)! + 1n)
    left -= 1n
  }
  const reserve = shares.get('') ?? 0n
  shares.delete('')
  return { shares, reserve }
}

/** Weights of contributors from their logged scores (section 12.2). */
function contributorWeights(
  scores: readonly Json[],
  floorPpm: bigint,
): { weights: Row[]; reserveWeight: bigint } {
  const read = scores.map((score, at) => {
    const path = `scores[${at}]`
    const low = asInteger(score.lowPpm, `${path}.lowPpm`)
    const high = asInteger(score.highPpm, `${path}.highPpm`)
    if (low > high) throw new Error(`${path} has its bounds turned round`)
    return {
      account: asAddress(score.account, `${path}.account`),
      low: BigInt(low),
      high: BigInt(high),
      records: BigInt(asCount(score.records, `${path}.records`)),
      factor:
        BigInt(asPpm(score.qualityPpm, `${path}.qualityPpm`)) *
        BigInt(asPpm(score.originalityPpm, `${path}.originalityPpm`)),
    }
  })
  requireAscending(
    read.map(score => score.account),
    'scores',
  )
  const allRecords = sum(read.map(score => score.records))
  const weights = read.map(({ account, low, high, records, factor }) => {
    if (low <= 0n && high < 0n) return { account, amount: 0n }
    const byFloor = floorPpm * records
    const byUse = low > 0n ? low * allRecords : 0n
    return { account, amount: (byUse > byFloor ? byUse : byFloor) * factor }
  })
  const isAnyProven = read.some(score => score.low > 0n)
  return { weights, reserveWeight: isAnyProven ? 0n : PPM ** 3n * allRecords }
}

function requireRows(what: string, expected: readonly Row[], seen: readonly Row[]): void {
  same(`the number of ${what}`, expected.length, seen.length)
  for (const [at, row] of expected.entries()) {
    same(`account ${at + 1} of ${what}`, row.account, seen[at]!.account)
    same(`${row.account} of ${what}`, row.amount, seen[at]!.amount)
  }
}

/** Checks one pool: its amount, its shares from its weights. Answers what each account gets of it. */
function checkPool(
  pool: Json,
  name: string,
  amount: bigint,
  heldPpm: number,
): { shares: Share[]; reserve: bigint; weights: Row[] } {
  same(`the amount of the ${name}`, amount, asAmount(pool.amount, `${name}.amount`))
  const weights = asRows(pool.weights, 'weight', `${name}.weights`)
  const made = split(amount, weights, asAmount(pool.reserveWeight, `${name}.reserveWeight`))
  const expected = weights.map(({ account }) => ({ account, amount: made.shares.get(account) ?? 0n }))
  const shares = asRows(pool.shares, 'amount', `${name}.shares`)
  requireRows(`shares of the ${name}`, expected, shares)
  same(`what the ${name} leave to the reserve`, made.reserve, asAmount(pool.reserve, `${name}.reserve`))
  const withHeld = shares.map((share, at) => {
    const path = `${name}.shares[${at}]`
    const own = asCount(asObject(asArray(pool.shares, name)[at], path).heldPpm, `${path}.heldPpm`)
    if (own !== heldPpm && own !== 1_000_000)
      throw new Error(`${path}.heldPpm is ${own}, neither the rule nor all`)
    return { ...share, heldPpm: BigInt(own) }
  })
  return { shares: withHeld, reserve: made.reserve, weights }
}

/** Computes a payout file again. `text` is the file as it was published: canonical JSON. */
export async function verifyPayout(text: string, expected: PayoutExpectations = {}): Promise<Report> {
  return verification(async list => {
    const file = list.check('format', () => {
      const value = asObject(parseCanonicalText(text), 'the file')
      same('the kind', 'payout', value.kind)
      same('the schema', 1, value.schema)
      return [`period ${asCount(value.period, 'period')}, SHA-256 ${digestOf(text)}`, value]
    })
    const domain = list.check('deployment', () => {
      const own = asDomain(file.genesis, 'genesis')
      if (expected.genesis !== undefined) requireDomain(expected.genesis, own)
      const claims = asAddress(file.rewardClaims, 'rewardClaims')
      if (expected.rewardClaims !== undefined) same('the contract', expected.rewardClaims, claims)
      return [`${own.deploymentId}, RewardClaims at ${claims}`, own]
    })
    if (expected.genesis === undefined) list.notChecked.push(NO_DEPLOYMENT)
    const trust: Trust = { ...expected, genesis: domain }

    const pools = list.check('pools', () => {
      const revenue = asAmount(file.revenue, 'revenue')
      if (expected.onChain?.fundedOf !== undefined)
        same('the revenue of the period on chain', expected.onChain.fundedOf, revenue)
      const given = asObject(file.pools, 'pools')
      const [contributors, validators, reserve] = ['contributorsPpm', 'validatorsPpm', 'reservePpm'].map(
        name => BigInt(asPpm(given[name], `pools.${name}`)),
      ) as [bigint, bigint, bigint]
      same('the sum of the pools in ppm', PPM, contributors + validators + reserve)
      const made = { contributors: (revenue * contributors) / PPM, validators: (revenue * validators) / PPM }
      const rest = revenue - made.contributors - made.validators
      return [
        `${revenue}: ${made.contributors} to contributors, ${made.validators} to validators, ${rest} to the reserve`,
        { ...made, revenue, reserve: rest, heldPpm: asPpm(file.heldPpm, 'heldPpm') },
      ]
    })
    if (expected.onChain?.fundedOf === undefined)
      list.notChecked.push('that the revenue is what RewardClaims received: nothing was read from the chain')

    const contributors = list.check('contributors', () => {
      const pool = asObject(file.contributors, 'contributors')
      const found = checkPool(pool, 'contributors', pools.contributors, pools.heldPpm)
      const scores = asArray(file.scores, 'scores').map((one, at) => asObject(one, `scores[${at}]`))
      const made = contributorWeights(scores, BigInt(asPpm(file.qualityFloorPpm, 'qualityFloorPpm')))
      requireRows('weights of contributors', made.weights, found.weights)
      const reserveWeight = asAmount(pool.reserveWeight, 'contributors.reserveWeight')
      same('the weight of the reserve', made.reserveWeight, reserveWeight)
      return [`${found.shares.length} contributors by their logged scores`, found]
    })
    const validators = list.check('validators', () => {
      const pool = asObject(file.validators, 'validators')
      const found = checkPool(pool, 'validators', pools.validators, pools.heldPpm)
      return [`${found.shares.length} validators by their logged weights`, found]
    })

    const rows = list.check('accounts', () => {
      const read = asAccountRows(file.accounts)
      const decisions = asDecisions(file)
      const shares = new Map<string, Share[]>()
      for (const share of [...contributors.shares, ...validators.shares])
        shares.set(share.account, [...(shares.get(share.account) ?? []), share])
      for (const row of read) {
        requireSettled(row, shares.get(row.account) ?? [], decisions)
        shares.delete(row.account)
      }
      for (const account of shares.keys()) throw new Error(`${account} is left out`)
      return [`${read.length} accounts`, read]
    })

    list.check('conservation', () => {
      const reserve = asObject(file.reserve, 'reserve')
      const before = asAmount(reserve.before, 'reserve.before')
      const added = asAmount(reserve.added, 'reserve.added')
      const penalties = sum(rows.map(row => row.penalty))
      const gained = pools.reserve + contributors.reserve + validators.reserve + penalties
      same('what the reserve gains', gained, added)
      same('the reserve after', before + added, asAmount(reserve.after, 'reserve.after'))
      const all = (state: 'before' | 'after') =>
        sum(rows.map(row => row[state].cumulative + heldOf(row[state])))
      const was = all('before') + before
      const is = all('after') + before + added
      same('paid, held and reserve together', was + pools.revenue, is)
      return `${was} before, ${pools.revenue} came in, ${is} after`
    })

    list.check('root', () => {
      const paid = rows.filter(row => row.after.cumulative > 0n)
      const leaves = paid.map(row => payoutLeaf(row.account, row.after.cumulative))
      const root = leaves.length === 0 ? null : payoutRoot(leaves)
      same('the root', root, file.root)
      const total = sum(paid.map(row => row.after.cumulative))
      same('the total', total, asAmount(file.total, 'total'))
      if (expected.onChain?.root !== undefined) same('the root on chain', expected.onChain.root, root)
      if (expected.onChain?.total !== undefined) same('the total on chain', expected.onChain.total, total)
      return `${root ?? 'none'} over ${paid.length} accounts, ${total} in all`
    })
    if (expected.onChain?.root === undefined)
      list.notChecked.push('that RewardClaims holds this root: nothing was read from the chain')

    if (file.previous === null)
      list.check('first period', () => {
        const some = rows.find(row => spell(row.before) !== '0')
        if (some !== undefined)
          throw new Error(`${some.account} has an amount from a period that is not named`)
        same('the reserve before', '0', asObject(file.reserve, 'reserve').before)
        return 'nothing came before'
      })
    else if (expected.previousFile === undefined)
      list.notChecked.push('what came from earlier periods: the file before was not given')
    else {
      const { previousFile } = expected
      list.check('previous period', () => requirePrevious(file, rows, previousFile))
    }

    if (expected.scoresProof === undefined)
      list.notChecked.push('that the scores are those of the log: no proof was given')
    else {
      const { leaf } = checkLogProof(list, 'scores in the log', expected.scoresProof, trust)
      list.check('logged scores', () => {
        same('the kind of the leaf', 'scores', leaf.kind)
        same('the period of the scores', file.period, leaf.period)
        const { weights } = asObject(file.validators, 'validators')
        const digest = documentDigest({ contributors: file.scores, validators: weights })
        same('the digest of the scores', asSha256(leaf.scoresDigest, 'leaf.scoresDigest'), digest)
        return digest
      })
    }
    if (expected.payoutProof === undefined)
      list.notChecked.push('that the payout is in the log: no proof was given')
    else {
      const { leaf, head } = checkLogProof(list, 'payout in the log', expected.payoutProof, trust)
      list.check('logged payout', () => {
        same('the kind of the leaf', 'payout', leaf.kind)
        same('the period', file.period, leaf.period)
        same('the root in the log', file.root, leaf.root)
        same('the total in the log', file.total, leaf.total)
        same('the file in the log', digestOf(text), leaf.fileSha256)
        return asText(leaf.fileSha256, 'leaf.fileSha256')
      })
      const { logHead } = expected.onChain ?? {}
      if (logHead !== undefined && logHead === logHeadDigest(head))
        list.check('anchored head', () => `the head of size ${head.size} is the one on chain`)
      else list.notChecked.push('that the head on chain covers this payout: the proof is under another head')
    }
    list.notChecked.push('the scores and penalties themselves: they hold until somebody measures or appeals')
  })
}

const digestOf = (text: string) => toHex(sha256(utf8ToBytes(text)))

/** What this file starts from must be what the one before ended with, account by account. */
function requirePrevious(file: Json, rows: readonly AccountRow[], text: string): string {
  const named = asObject(file.previous, 'previous')
  same('the file of the period before', named.fileSha256, digestOf(text))
  const previous = asObject(parseCanonicalText(text), 'the previous file')
  same('the deployment of the period before', canonical(file.genesis), canonical(previous.genesis))
  same('the contract of the period before', file.rewardClaims, previous.rewardClaims)
  const period = asCount(previous.period, 'previous.period')
  same('the period before', period, named.period)
  if (period >= asCount(file.period, 'period')) throw new Error(`period ${period} is not before this one`)
  same(
    'the reserve before',
    asObject(previous.reserve, 'previous.reserve').after,
    asObject(file.reserve, 'reserve').before,
  )
  const now = new Map(rows.map(row => [row.account, row]))
  for (const earlier of asAccountRows(previous.accounts)) {
    const row = now.get(earlier.account)
    if (row === undefined) throw new Error(`${earlier.account} of the period before is left out`)
    same(`what ${earlier.account} had`, spell(earlier.after), spell(row.before))
    now.delete(earlier.account)
  }
  for (const row of now.values())
    if (spell(row.before) !== '0')
      throw new Error(`${row.account} starts with an amount that the period before does not know`)
  return `continues period ${period}`
}
