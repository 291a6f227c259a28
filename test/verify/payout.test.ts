import fc from 'fast-check'
import { canonicalJson } from '../../domain/protocol/canonical-json.ts'
import type { Bytes32 } from '../../domain/protocol/hex.ts'
import { keccak256Hex, sha256Hex } from '../../domain/protocol/ids.ts'
import { type PayoutFile, scoresDigest } from '../../domain/protocol/payout-file.ts'
import { payoutTree, verifyPayoutProof } from '../../domain/protocol/payout-tree.ts'
import { type PayoutExpectations, type Report, verifyPayout } from '../../verify/index.ts'
import { aStage } from '../support/governance-stage.ts'
import { proveRuns } from '../support/prove-runs.ts'
import { aLog, aVote, set } from './a-life.ts'
import { accountOf, aPayout, aPeriod, aScore } from './a-payout.ts'

const firstWrong = (report: Report) => {
  const wrong = report.checks.find(check => !check.ok)
  return wrong === undefined ? 'nothing' : `${wrong.name}: ${wrong.detail}`
}

const { genesis } = aStage()
const verify = (file: PayoutFile, expected: PayoutExpectations = {}) =>
  verifyPayout(canonicalJson(file), expected)

describe('a payout file', () => {
  it('is recomputed to the last unit from its scores and weights', async () => {
    const report = await verify(aPayout(null, aPeriod))
    expect(firstWrong(report)).toBe('nothing')
    expect(report.checks.map(check => check.name)).toEqual([
      'format',
      'deployment',
      'pools',
      'contributors',
      'validators',
      'accounts',
      'conservation',
      'root',
      'first period',
    ])
  })

  it('pays nothing to whom measurement shows to do harm, and no judge without weight', async () => {
    const file = aPayout(null, aPeriod)
    expect(file.contributors.shares.find(row => row.account === accountOf(3))?.amount).toBe('0')
    expect(file.validators.shares.find(row => row.account === accountOf(8))?.amount).toBe('0')
    expect((await verify(file)).ok).toBe(true)
  })

  it('continues the period before, with releases and penalties', async () => {
    const first = aPayout(null, aPeriod)
    const second = aPayout(first, {
      ...aPeriod,
      revenue: 77n,
      scores: [aScore(5, 10)],
      releasedPpm: 500_000,
      forfeitedPpm: 250_000,
    })
    const previousFile = canonicalJson(first)
    expect(firstWrong(await verify(second, { previousFile }))).toBe('nothing')
    const other = canonicalJson(aPayout(null, { ...aPeriod, revenue: 5n }))
    expect(firstWrong(await verify(second, { previousFile: other }))).toMatch(/^previous period: the file/)
  })

  it('of whatever scores, weights and earlier periods is recomputed and conserves', async () => {
    const amount = fc.bigInt({ min: 0n, max: 10n ** 30n })
    const score = fc
      .record({
        n: fc.integer({ min: 10, max: 30 }),
        bounds: fc.tuple(fc.integer({ min: -2_000_000, max: 1_000_000 }), fc.nat(1_000_000)),
        records: fc.nat(500),
        qualityPpm: fc.nat(1_000_000),
        originalityPpm: fc.nat(1_000_000),
      })
      .map(({ n, bounds: [low, width], ...change }) => aScore(n, low, low + width, change))
    const period = fc.record({
      revenue: amount,
      scores: fc.uniqueArray(score, { selector: row => row.account, maxLength: 12 }),
      judges: fc.uniqueArray(
        fc.record({
          account: fc.integer({ min: 20, max: 40 }).map(accountOf),
          weight: fc.bigInt({ min: 0n, max: 9n }),
        }),
        { selector: row => row.account, maxLength: 12 },
      ),
      releasedPpm: fc.nat(500_000),
      forfeitedPpm: fc.nat(500_000),
    })
    await fc.assert(
      fc.asyncProperty(fc.array(period, { minLength: 1, maxLength: 3 }), async periods => {
        let before: PayoutFile | null = null
        for (const one of periods) {
          const file: PayoutFile = aPayout(before, one)
          const previous: PayoutExpectations = before === null ? {} : { previousFile: canonicalJson(before) }
          expect(firstWrong(await verify(file, previous))).toBe('nothing')
          before = file
        }
      }),
      proveRuns(2),
    )
  })

  it('has proofs that lead to its root, for every account that is paid', async () => {
    const file = aPayout(null, aPeriod)
    const leaves = file.accounts
      .map(row => ({ account: row.account, cumulativeAmount: BigInt(row.cumulative) }))
      .filter(leaf => leaf.cumulativeAmount > 0n)
    const tree = payoutTree(leaves)
    for (const leaf of leaves)
      expect(verifyPayoutProof(file.root as Bytes32, leaf, tree.proof(leaf.account))).toBe(true)
  })

  it('is held against the chain and the log when they are given', async () => {
    const { trust } = await aVote()
    const file = aPayout(null, aPeriod)
    const text = canonicalJson(file)
    const leaves = [
      { kind: 'genesis' },
      { kind: 'scores', schema: 1, period: 1, scoresDigest: scoresDigest(file) },
      {
        kind: 'payout',
        schema: 1,
        period: 1,
        root: file.root,
        total: file.total,
        fileSha256: sha256Hex(text),
      },
    ]
    const log = await aLog(genesis, leaves)
    const onChain = { fundedOf: aPeriod.revenue, root: file.root!, total: BigInt(file.total) }
    const expected = { ...trust, onChain, scoresProof: log.proofAt(1), payoutProof: log.proofAt(2) }
    const report = await verifyPayout(text, expected)
    expect(firstWrong(report)).toBe('nothing')
    expect(report.notChecked).toEqual([
      'the scores and penalties themselves: they hold until somebody measures or appeals',
    ])
    const wrong = async (change: PayoutExpectations) =>
      firstWrong(await verifyPayout(text, { ...expected, ...change }))
    expect(await wrong({ onChain: { fundedOf: 1n } })).toMatch(/^pools: the revenue/)
    expect(await wrong({ onChain: { ...onChain, root: keccak256Hex('x') } })).toMatch(
      /^root: the root on chain/,
    )
    expect(await wrong({ onChain: { ...onChain, total: 1n } })).toMatch(/^root: the total on chain/)
    expect(await wrong({ rewardClaims: accountOf(1) })).toMatch(/^deployment: the contract/)
    expect(await wrong({ scoresProof: log.proofAt(2) })).toMatch(/^logged scores: the kind/)
    const elsewhere = await aLog(genesis, [leaves[0]!, { ...leaves[1]!, scoresDigest: sha256Hex('x') }])
    expect(await wrong({ scoresProof: elsewhere.proofAt(1) })).toMatch(/^logged scores: the digest/)
    const otherFile = await aLog(genesis, [leaves[0]!, { ...leaves[2]!, fileSha256: sha256Hex('x') }])
    expect(await wrong({ payoutProof: otherFile.proofAt(1) })).toMatch(/^logged payout: the file/)
  })

  const forgeries: [string, string, unknown, RegExp][] = [
    ['one unit more for an account', 'accounts.0.cumulative', '999', /^accounts: the cumulative amount/],
    ['one unit more earned', 'accounts.0.earned', '999', /^accounts: what .* earned/],
    ['less held', 'accounts.0.held', '0', /^accounts: what is held/],
    ['a release of nothing held', 'accounts.0.released', '1', /^accounts: .* gets and loses more/],
    ['a better score', 'scores.0.lowPpm', 400_000, /^contributors: .* of weights of contributors/],
    ['bounds turned round', 'scores.0.lowPpm', 500_000, /^contributors: scores\[0\] has its bounds/],
    ['another weight', 'contributors.weights.0.weight', '1', /^contributors: /],
    ['another share', 'contributors.shares.0.amount', '1', /^contributors: .* of shares/],
    ['another floor', 'qualityFloorPpm', 60_000, /^contributors: .* of weights/],
    ['a judge with more weight', 'validators.weights.0.weight', '6', /^validators: .* of shares/],
    ['another pool', 'pools.contributorsPpm', 600_000, /^pools: the sum/],
    ['more revenue', 'revenue', '2000003', /^contributors: the amount/],
    ['a lower reserve', 'reserve.added', '0', /^conservation: what the reserve gains/],
    ['another reserve after', 'reserve.after', '0', /^conservation: the reserve after/],
    ['another root', 'root', keccak256Hex('x'), /^root: the root is/],
    ['another total', 'total', '1', /^root: the total/],
    ['an earlier period that is not named', 'accounts.0.heldBefore', '5', /^accounts: what stays held/],
    ['another kind', 'kind', 'ballots', /^format: the kind/],
    ['an amount as a number', 'revenue', 1_000_003, /^pools: revenue should be an amount/],
    ['a negative amount', 'accounts.0.released', '-1', /^accounts: accounts\[0\].released/],
  ]
  it.each(forgeries)('with %s is refused', async (_name, path, value, expected) => {
    const file = JSON.parse(canonicalJson(aPayout(null, aPeriod))) as PayoutFile
    set(file, path, value)
    expect(firstWrong(await verify(file))).toMatch(expected)
  })

  it('that leaves out somebody who earned, or is sorted otherwise, is refused', async () => {
    const file = aPayout(null, aPeriod)
    expect(firstWrong(await verify({ ...file, accounts: file.accounts.slice(1) }))).toMatch(
      /^accounts: .* left out/,
    )
    expect(firstWrong(await verify({ ...file, accounts: [...file.accounts].reverse() }))).toMatch(
      /not sorted/,
    )
    expect(firstWrong(await verifyPayout(` ${canonicalJson(file)}`))).toMatch(/^format: .*canonical/)
    expect(firstWrong(await verifyPayout('nothing'))).toMatch(/^format: /)
  })

  it('cannot give an account amounts that the period before does not know', async () => {
    const first = aPayout(null, aPeriod)
    const second = JSON.parse(canonicalJson(aPayout(first, aPeriod))) as PayoutFile
    const row = second.accounts[0]!
    const richer = {
      ...row,
      cumulativeBefore: String(BigInt(row.cumulativeBefore) + 10n),
      cumulative: String(BigInt(row.cumulative) + 10n),
    }
    const accounts = [richer, ...second.accounts.slice(1)]
    const leaves = accounts
      .map(one => ({ account: one.account, cumulativeAmount: BigInt(one.cumulative) }))
      .filter(leaf => leaf.cumulativeAmount > 0n)
    const forged = {
      ...second,
      accounts,
      total: String(BigInt(second.total) + 10n),
      root: payoutTree(leaves).root,
    }
    expect((await verify(forged)).ok).toBe(true)
    expect((await verify(forged)).notChecked).toContain(
      'what came from earlier periods: the file before was not given',
    )
    expect(firstWrong(await verify(forged, { previousFile: canonicalJson(first) }))).toMatch(
      /^previous period: what .* had/,
    )
    expect(firstWrong(await verify({ ...second, previous: null }))).toMatch(/^first period: /)
    const without = { ...second, accounts: second.accounts.filter(one => one.account !== accountOf(8)) }
    expect(firstWrong(await verify(without, { previousFile: canonicalJson(first) }))).toMatch(
      /^previous period: .* left out/,
    )
  })
})
