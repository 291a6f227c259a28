import fc from 'fast-check'
import { canonicalJson } from '../../domain/protocol/canonical-json.ts'
import { keccak256Hex, sha256Hex } from '../../domain/protocol/ids.ts'
import { type AccountState, type PayoutFile, scoresDigest } from '../../domain/protocol/payout-file.ts'
import { payoutTree, verifyPayoutProof } from '../../domain/protocol/payout-tree.ts'
import { splitRevenue } from '../../domain/rewards/split-revenue.ts'
import type { WrittenPayout } from '../../domain/rewards/write-payout-file.ts'
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

const textOf = ({ file }: WrittenPayout) => canonicalJson(file)

describe('a payout file', () => {
  it('is recomputed to the last unit from its scores and weights', async () => {
    const report = await verifyPayout(textOf(aPayout(null)))
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
    const { file } = aPayout(null)
    expect(file.contributors.shares.find(row => row.account === accountOf(3))?.amount).toBe('0')
    expect(file.validators.shares.find(row => row.account === accountOf(8))?.amount).toBe('0')
    expect((await verify(file)).ok).toBe(true)
  })

  it('continues the periods before, with holding, release, review and penalties', async () => {
    const first = aPayout(null)
    const second = aPayout(first, { heldWhole: new Set([accountOf(2)]) })
    const third = aPayout(second, {
      revenue: 77n,
      scores: [aScore(5, 10)],
      penalties: [
        { account: accountOf(1), amount: 10n ** 20n },
        { account: accountOf(4), amount: 5n },
      ],
      underReview: new Set([accountOf(2)]),
    })
    const row = (n: number) => third.file.accounts.find(one => one.account === accountOf(n))!
    // The penalty takes all that is held and no more; who is under review gets nothing released.
    expect(row(1).after.held).toEqual([])
    expect(row(1).released).toBe('0')
    expect(row(2).released).toBe('0')
    expect(row(2).after.held).toHaveLength(2)
    expect(BigInt(row(4).released)).toBeGreaterThan(0n)
    expect(firstWrong(await verify(third.file, { previousFile: textOf(second) }))).toBe('nothing')
    expect(firstWrong(await verify(third.file, { previousFile: textOf(first) }))).toMatch(
      /^previous period: the file/,
    )
  })

  it('of whatever scores, weights, penalties and earlier periods is recomputed and conserves', async () => {
    const amount = fc.bigInt({ min: 0n, max: 10n ** 30n })
    const account = fc.integer({ min: 10, max: 30 }).map(accountOf)
    const score = fc
      .record({
        n: fc.integer({ min: 10, max: 30 }),
        bounds: fc.tuple(fc.integer({ min: -2_000_000, max: 1_000_000 }), fc.nat(1_000_000)),
        records: fc.nat(500),
        qualityPpm: fc.nat(1_000_000),
        originalityPpm: fc.nat(1_000_000),
      })
      .map(({ n, bounds: [low, width], ...change }) => aScore(n, low, low + width, change))
    const judge = fc.record({ account, weight: fc.bigInt({ min: 0n, max: 9n }) })
    const period = fc.record({
      revenue: amount,
      scores: fc.uniqueArray(score, { selector: row => row.account, maxLength: 12 }),
      validatorWeights: fc.uniqueArray(judge, { selector: row => row.account, maxLength: 12 }),
      heldWhole: fc.array(account, { maxLength: 4 }).map(list => new Set(list)),
      penalties: fc.array(fc.record({ account, amount }), { maxLength: 3 }),
      underReview: fc.array(account, { maxLength: 3 }).map(list => new Set(list)),
      releaseAfterPeriods: fc.nat(2),
    })
    await fc.assert(
      fc.asyncProperty(fc.array(period, { minLength: 1, maxLength: 4 }), async periods => {
        let before: WrittenPayout | null = null
        for (const one of periods) {
          const payout: WrittenPayout = aPayout(before, one)
          const previous: PayoutExpectations = before === null ? {} : { previousFile: textOf(before) }
          expect(firstWrong(await verify(payout.file, previous))).toBe('nothing')
          before = payout
        }
      }),
      proveRuns(2),
    )
  })

  it('has proofs that lead to its root, for every account that is paid', () => {
    const { file, tree } = aPayout(null)
    for (const { account, after } of file.accounts) {
      if (after.cumulative === '0') continue
      const leaf = { account, cumulativeAmount: BigInt(after.cumulative) }
      expect(verifyPayoutProof(file.root!, leaf, tree!.proof(account))).toBe(true)
    }
  })

  it('is held against the chain and the log when they are given', async () => {
    const { trust } = await aVote()
    const { file } = aPayout(null)
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
    const logHead = `0x${sha256Hex(log.body)}`
    const onChain = { fundedOf: aPeriod.revenue, root: file.root!, total: BigInt(file.total), logHead }
    const expected = { ...trust, onChain, scoresProof: log.proofAt(1), payoutProof: log.proofAt(2) }
    const report = await verifyPayout(text, expected)
    expect(firstWrong(report)).toBe('nothing')
    expect(report.notChecked).toEqual([
      'the scores and penalties themselves: they hold until somebody measures or appeals',
    ])
    expect(report.checks.at(-1)?.name).toBe('anchored head')
    const elsewhereAnchored = await verifyPayout(text, {
      ...expected,
      onChain: { ...onChain, logHead: '0x' },
    })
    expect(elsewhereAnchored.notChecked).toContain(
      'that the head on chain covers this payout: the proof is under another head',
    )
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
    const scores = await aLog(genesis, [leaves[0]!, { ...leaves[1]!, period: 2 }])
    expect(await wrong({ scoresProof: scores.proofAt(1) })).toMatch(/^logged scores: the period/)
    const lies = { kind: 'scores', period: 2, root: keccak256Hex('x'), total: '1' }
    for (const [member, lie] of Object.entries(lies)) {
      const other = await aLog(genesis, [leaves[0]!, { ...leaves[2]!, [member]: lie }])
      expect(await wrong({ payoutProof: other.proofAt(1) })).toMatch(
        new RegExp(`^logged payout: the ${member}`),
      )
    }
    const otherFile = await aLog(genesis, [leaves[0]!, { ...leaves[2]!, fileSha256: sha256Hex('x') }])
    expect(await wrong({ payoutProof: otherFile.proofAt(1) })).toMatch(/^logged payout: the file/)
  })

  const forgeries: [string, string, unknown, RegExp][] = [
    [
      'one unit more for an account',
      'accounts.0.after.cumulative',
      '999',
      /^accounts: the cumulative amount/,
    ],
    ['one unit more paid', 'accounts.0.paid', '999', /^accounts: what .* is paid/],
    ['less held', 'accounts.0.heldNow', '0', /^accounts: what is held/],
    ['a release of what is not due', 'accounts.0.released', '1', /^accounts: what is released/],
    ['a penalty that was not decided', 'accounts.0.penalty', '1', /^accounts: the penalty/],
    [
      'a penalty that was not taken',
      'penalties',
      [{ account: accountOf(1), amount: '1' }],
      /^accounts: the penalty/,
    ],
    ['another amount that stays held', 'accounts.0.after.held', [], /^accounts: what stays held/],
    ['an earlier holding period', 'accounts.0.after.held.0.period', 0, /^accounts: what stays held/],
    ['an earlier release', 'releaseAfterPeriods', 0, /^accounts: what is released/],
    [
      'less of a share held',
      'contributors.shares.0.heldPpm',
      0,
      /^contributors: .* neither the rule nor all/,
    ],
    ['a better score', 'scores.0.lowPpm', 400_000, /^contributors: .* of weights of contributors/],
    ['bounds turned round', 'scores.0.lowPpm', 500_000, /^contributors: scores\[0\] has its bounds/],
    ['another weight', 'contributors.weights.0.weight', '1', /^contributors: /],
    ['another share', 'contributors.shares.0.amount', '1', /^contributors: .* of shares/],
    ['a quality above all', 'scores.0.qualityPpm', 2_000_000, /^contributors: .* above 1,000,000 ppm/],
    [
      'a share without a weight',
      'validators.shares.2',
      { account: accountOf(10), amount: '0', heldPpm: 200_000 },
      /^validators: account 3 of shares/,
    ],
    [
      'fewer weights than scores',
      'scores',
      aPeriod.scores.slice(0, 1),
      /^contributors: the number of weights/,
    ],
    ['another floor', 'qualityFloorPpm', 60_000, /^contributors: .* of weights/],
    ['a judge with more weight', 'validators.weights.0.weight', '6', /^validators: .* of shares/],
    ['another pool', 'pools.contributorsPpm', 600_000, /^pools: the sum/],
    ['more revenue', 'revenue', '2000003', /^contributors: the amount/],
    ['a lower reserve', 'reserve.added', '0', /^conservation: what the reserve gains/],
    ['another reserve after', 'reserve.after', '0', /^conservation: the reserve after/],
    ['another root', 'root', keccak256Hex('x'), /^root: the root is/],
    ['another total', 'total', '1', /^root: the total/],
    ['an earlier period that is not named', 'accounts.0.before.cumulative', '5', /^accounts: the cumulative/],
    ['another kind', 'kind', 'ballots', /^format: the kind/],
    ['another schema', 'schema', 2, /^format: the schema/],
    [
      'reviews out of order',
      'underReview',
      [accountOf(2), accountOf(1)],
      /^accounts: underReview is not sorted/,
    ],
    ['an amount as a number', 'revenue', 1_000_003, /^pools: revenue should be an amount/],
    ['a negative amount', 'accounts.0.released', '-1', /^accounts: accounts\[0\].released/],
    ['a holding of nothing', 'accounts.0.after.held.0.amount', '0', /^accounts: .* above zero/],
  ]
  it.each(forgeries)('with %s is refused', async (_name, path, value, expected) => {
    const file = JSON.parse(textOf(aPayout(null))) as PayoutFile
    set(file, path, value)
    expect(firstWrong(await verify(file))).toMatch(expected)
  })

  it('that leaves out somebody who earned, or is sorted otherwise, is refused', async () => {
    const { file } = aPayout(null)
    expect(firstWrong(await verify({ ...file, accounts: file.accounts.slice(1) }))).toMatch(
      /^accounts: .* left out/,
    )
    expect(firstWrong(await verify({ ...file, accounts: [...file.accounts].reverse() }))).toMatch(
      /^accounts: accounts is not sorted/,
    )
    expect(firstWrong(await verifyPayout(` ${canonicalJson(file)}`))).toMatch(/^format: .*canonical/)
    expect(firstWrong(await verifyPayout('nothing'))).toMatch(/^format: /)
  })

  it('cannot give an account amounts that the period before does not know', async () => {
    const first = aPayout(null)
    const second = aPayout(first).file
    const expected = { previousFile: textOf(first) }
    const more = (state: AccountState) => ({ ...state, cumulative: String(BigInt(state.cumulative) + 10n) })
    const accounts = second.accounts.map((row, at) =>
      at === 0 ? { ...row, before: more(row.before), after: more(row.after) } : row,
    )
    const leaves = accounts
      .map(row => ({ account: row.account, cumulativeAmount: BigInt(row.after.cumulative) }))
      .filter(leaf => leaf.cumulativeAmount > 0n)
    const forged = {
      ...second,
      accounts,
      total: String(BigInt(second.total) + 10n),
      root: payoutTree(leaves).root,
    }
    // Alone it holds together, and the report says what was not given.
    const alone = await verify(forged)
    expect(alone.ok).toBe(true)
    expect(alone.notChecked).toContain('what came from earlier periods: the file before was not given')
    expect(firstWrong(await verify(forged, expected))).toMatch(/^previous period: what .* had/)
    expect(firstWrong(await verify({ ...second, previous: null }))).toMatch(/^first period: /)
    const without = aPayout(first, { validatorWeights: aPeriod.validatorWeights.slice(0, 2) }).file
    const shorter = { ...without, accounts: without.accounts.filter(one => one.account !== accountOf(8)) }
    expect(firstWrong(await verify(shorter, expected))).toMatch(/^previous period: .* left out/)
  })

  it('cannot weigh the reserve otherwise than the scores say', async () => {
    const scores = [aScore(1, -50_000), aScore(2, -10_000)]
    const { file } = aPayout(null, { scores })
    const weights = file.contributors.weights.map(row => ({
      account: row.account,
      weight: BigInt(row.weight),
    }))
    const { shares, reserve } = splitRevenue(BigInt(file.contributors.amount), weights)
    const contributors = {
      ...file.contributors,
      reserveWeight: '0',
      shares: shares.map(share => ({
        account: share.account,
        amount: String(share.amount),
        heldPpm: 200_000,
      })),
      reserve: String(reserve),
    }
    expect(firstWrong(await verify(file))).toBe('nothing')
    expect(firstWrong(await verify({ ...file, contributors }))).toMatch(
      /^contributors: the weight of the reserve/,
    )
    const other = { ...file, contributors: { ...file.contributors, reserve: '0' } }
    expect(firstWrong(await verify(other))).toMatch(/^contributors: what the contributors leave/)
  })

  it('starts a first period from nothing, in accounts and in the reserve', async () => {
    const { file } = aPayout(null)
    const reserve = { before: '5', added: file.reserve.added, after: String(BigInt(file.reserve.after) + 5n) }
    expect(firstWrong(await verify({ ...file, reserve }))).toMatch(/^first period: the reserve before/)
    const second = { ...aPayout(aPayout(null)).file, previous: null }
    expect(firstWrong(await verify(second))).toMatch(/^first period: .* from a period that is not named/)
  })

  it('continues no file of another deployment, contract or order, although its digest is named', async () => {
    const first = aPayout(null)
    const second = aPayout(first).file
    const forged = async (
      change: Partial<PayoutFile>,
      named: { period?: number } = {},
      own: Partial<PayoutFile> = {},
    ) => {
      const previousFile = canonicalJson({ ...first.file, ...change })
      const previous = { period: 1, fileSha256: sha256Hex(previousFile), ...named }
      return firstWrong(await verify({ ...second, ...own, previous }, { previousFile }))
    }
    expect(await forged({})).toBe('nothing')
    expect(await forged({ genesis: { ...first.file.genesis, chainId: 1 } })).toMatch(
      /^previous period: the deployment/,
    )
    expect(await forged({ rewardClaims: accountOf(7) })).toMatch(/^previous period: the contract/)
    expect(await forged({}, { period: 0 })).toMatch(/^previous period: the period before/)
    expect(await forged({ period: 2 }, { period: 2 })).toMatch(/^previous period: period 2 is not before/)
    const reserve = { before: '0', added: '0', after: '1' }
    expect(await forged({ reserve })).toMatch(/^previous period: the reserve before/)
    // An account that the period before does not list cannot bring an amount with it.
    const accounts = first.file.accounts.slice(1)
    expect(await forged({ accounts })).toMatch(/^previous period: .* that the period before does not know/)
  })
})
