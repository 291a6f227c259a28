import { gzipSync } from 'node:zlib'
import { verifyBallots } from '../../verify/index.ts'
import { GOPEN } from '../support/governance-stage.ts'
import { aDishonestFile, aLog, aVote, aVoteOf, type Json, rewritten, set } from './a-life.ts'

/** The first thing that is wrong, as a person would read it. */
const firstWrong = (report: Awaited<ReturnType<typeof verifyBallots>>) => {
  const wrong = report.checks.find(check => !check.ok)
  return wrong === undefined ? 'nothing' : `${wrong.name}: ${wrong.detail}`
}
describe('a ballot file', () => {
  it('that the service wrote verifies, and names what it cannot show', async () => {
    const { file, trust, result } = await aVote()
    const report = await verifyBallots(file, { ...trust, fileSha256: result.ballotFile.sha256 })
    expect(firstWrong(report)).toBe('nothing')
    expect(report.ok).toBe(true)
    expect(report.checks.map(check => check.name)).toEqual([
      'file',
      'format',
      'deployment',
      'proposal',
      'rules',
      'review',
      'signatures',
      'one ballot per voter',
      'power',
      'tally',
      'outcome',
    ])
    expect(report.checks.at(-1)?.detail).toMatch(/^passed: /)
    expect(report.notChecked).toHaveLength(3)
  })

  it('of a defeated vote verifies as defeated', async () => {
    const { file, trust } = await aVoteOf([
      ['alice', 0, 1],
      ['bob', 1, 1],
    ])
    const report = await verifyBallots(file, trust)
    expect(report.ok).toBe(true)
    expect(report.checks.at(-1)?.detail).toMatch(/^defeated: /)
  })

  it('without ballots is a defeat for want of a quorum', async () => {
    const { file, trust } = await aVoteOf([])
    const report = await verifyBallots(file, trust)
    expect(report.ok).toBe(true)
    expect(report.checks.at(-1)?.detail).toBe(`defeated: 0 of ${250n * GOPEN} towards the quorum`)
  })

  it('is compared with the chain when one is given', async () => {
    const { file, trust, stage } = await aVote()
    const powers = (extra: bigint) => async (voter: string | null) =>
      voter === null ? 1_000n * GOPEN : (stage.powers.get(voter as never) ?? 0n) + extra
    const good = await verifyBallots(file, { ...trust, powerOf: powers(0n) })
    expect(good.ok).toBe(true)
    expect(good.notChecked).toHaveLength(2)
    expect(firstWrong(await verifyBallots(file, { ...trust, powerOf: powers(1n) }))).toMatch(
      /^power: the power of /,
    )
    const otherSupply = async (voter: string | null) => (voter === null ? 7n : powers(0n)(voter))
    expect(firstWrong(await verifyBallots(file, { ...trust, powerOf: otherSupply }))).toMatch(
      /^power: the total supply/,
    )
  })

  it('says what it was given nothing to compare with', async () => {
    const { file } = await aVote()
    const report = await verifyBallots(file)
    expect(report.ok).toBe(true)
    expect(report.notChecked).toHaveLength(5)
  })

  const change = (path: string, value: unknown) => (lines: Json[]) => {
    set(lines, path, value)
    return undefined
  }
  const at = (lines: Json[], path: string) =>
    path.split('.').reduce<unknown>((found, key) => (found as Json)[key], lines)
  const reviews = (lines: Json[]) => lines[0]?.reviews as unknown[]
  const forgeries: [string, (lines: Json[]) => Json[] | undefined, RegExp][] = [
    ['the sum for one more', change('0.result.for', '1'), /^tally: the sum for is 1/],
    ['another outcome', change('0.result.outcome', 'defeated'), /^outcome: the outcome/],
    ['another number of voters', change('0.result.voters', 9), /^tally: the number of voters/],
    ['a lower quorum', change('0.result.quorum', '1'), /^outcome: the quorum/],
    ['rules with a lower quorum', change('0.rules.quorumPpm', 1), /^rules: the digest of the rules/],
    ['another action', change('0.proposal.title', 'Another'), /^proposal: the proposal: signed by/],
    [
      'one review left out',
      lines => {
        reviews(lines).pop()
        return undefined
      },
      /^review: 1 of the 2/,
    ],
    [
      'one review twice',
      lines => {
        reviews(lines)[1] = reviews(lines)[0]
        return undefined
      },
      /^review: .* reviewed twice/,
    ],
    [
      'a review with another reason',
      change('0.reviews.0.reason', 'x'),
      /^review: the review of .*: signed by/,
    ],
    ['a lower threshold of governors', change('0.governors.threshold', 1), /^review: the threshold/],
    [
      'a stranger as governor',
      change('0.governors.addresses.0', `0x${'99'.repeat(20)}`),
      /^review: the list of governors/,
    ],
    [
      'a turned ballot',
      lines => change('1.support', (Number(lines[1]?.support) + 1) % 3)(lines),
      /^signatures: ballot 1 of/,
    ],
    ['a choice that is none', change('1.support', 3), /^signatures: ballot 1 supports 3/],
    ['a changed reason', change('1.reason', 'because'), /^signatures: ballot 1 of/],
    ['a higher nonce', change('1.nonce', 99), /^signatures: ballot 1 of/],
    [
      'a signature in another spelling',
      lines => change('1.signature', `${String(lines[1]?.signature).slice(0, -2)}00`)(lines),
      /^signatures: v is 0/,
    ],
    [
      'a ballot twice',
      lines => [...lines.slice(0, 2), ...lines.slice(1)],
      /^one ballot per voter: ballot 2 is out of order/,
    ],
    [
      'ballots out of order',
      lines => [...lines.slice(0, 1), ...lines.slice(1).reverse()],
      /^one ballot per voter: .* out of order/,
    ],
    [
      'superseded ballots counted instead',
      lines => [
        ...lines.slice(0, 1),
        ...lines.slice(1).map(line => ({ ...line, counted: line.counted !== true })),
      ],
      /^one ballot per voter: .* marked as counted/,
    ],
    [
      'more power than there is',
      change('1.power', String(2_000n * GOPEN)),
      /^(one ballot per voter|power): /,
    ],
    [
      'a voter left out',
      ([header, ...ballots]) => [header!, ...ballots.filter(ballot => ballot.voter !== ballots[0]?.voter)],
      /^tally: /,
    ],
    ['another chain', change('0.genesis.chainId', 1), /^deployment: the chain id/],
    ['another token', change('0.genesis.gOpen', `0x${'77'.repeat(20)}`), /^deployment: gOPEN/],
    [
      'another deployment',
      change('0.genesis.deploymentId', `0x${'77'.repeat(32)}`),
      /^deployment: the deployment id/,
    ],
    [
      'a governor named twice',
      lines => change('0.governors.addresses.0', at(lines, '0.governors.addresses.1'))(lines),
      /^review: governors names a governor twice/,
    ],
    ['a threshold of nobody', change('0.governors.threshold', 0), /^review: governors.threshold is 0/],
    ['a threshold out of reach', change('0.governors.threshold', 4), /^review: governors.threshold is 4/],
    [
      'a signature in upper case',
      lines => change('1.signature', String(lines[1]?.signature).toUpperCase().replace('0X', '0x'))(lines),
      /^signatures: the signature is not 65 bytes of lower-case hex/,
    ],
    ['another kind', change('0.kind', 'payout'), /^format: the kind/],
    ['another schema', change('0.schema', 2), /^format: the schema/],
    ['another sum against', change('0.result.against', '1'), /^tally: the sum against/],
    ['another sum of abstentions', change('0.result.abstain', '1'), /^tally: the sum of abstentions/],
    ['a power below zero', change('1.power', '-1'), /^signatures: ballot 1.power should be an amount/],
  ]

  it.each(forgeries)('with %s does not verify', async (_name, forge, expected) => {
    const { file, trust } = await aVote()
    const report = await verifyBallots(rewritten(file, forge), trust)
    expect(report.ok).toBe(false)
    expect(firstWrong(report)).toMatch(expected)
  })

  it.each([
    ['not gzip', new TextEncoder().encode('hello'), /^file: /],
    ['empty', new Uint8Array(gzipSync('')), /^format: /],
    ['with a line that is no JSON', new Uint8Array(gzipSync('hello\n')), /^format: line 1/],
    [
      'with another spelling of JSON',
      new Uint8Array(gzipSync('{"kind": "ballots"}\n')),
      /^format: line 1: .*canonical/,
    ],
    ['with a member twice', new Uint8Array(gzipSync('{"a":1,"a":1}\n')), /^format: line 1: .*canonical/],
    ['cut off', new Uint8Array(gzipSync('{}\n{')), /^format: the last line is cut off/],
    ['with nothing expected in it', new Uint8Array(gzipSync('{}\n')), /^format: the kind/],
  ])('that is %s is refused, not a crash', async (_name, bytes, expected) => {
    expect(firstWrong(await verifyBallots(bytes))).toMatch(expected)
  })

  it('with another digest than the result names is refused first', async () => {
    const { file, trust } = await aVote()
    const report = await verifyBallots(file, { ...trust, fileSha256: '00'.repeat(32) })
    expect(firstWrong(report)).toMatch(/^file: the digest of the file/)
  })

  it('that the makers below forge would verify without the forgery', async () => {
    const { file, trust } = await aDishonestFile({})
    expect(firstWrong(await verifyBallots(file, trust))).toBe('nothing')
  })

  const dishonest: [string, Parameters<typeof aDishonestFile>[0], RegExp][] = [
    [
      'a proposal of another deployment',
      { document: { deploymentId: `0x${'12'.repeat(32)}` } },
      /^proposal: the deployment of the proposal/,
    ],
    [
      'a vote longer than its rules say',
      { rules: { votingPeriodSeconds: 11 } },
      /^rules: the voting period in seconds/,
    ],
    [
      'an unknown way to count the quorum',
      { rules: { quorumCounts: 'any' } },
      /^rules: rules.quorumCounts is any/,
    ],
    [
      'a stranger among the reviewers',
      { reviewers: ['governor-1', 'mallory'] },
      /^review: .* is no governor/,
    ],
    ['reviews that say something else', { decision: 'maybe' }, /^review: a review says maybe/],
    ['two powers for one voter', { powers: [1n, 600n * GOPEN] }, /^one ballot per voter: .* has two powers/],
    ['a voter without power', { powers: [0n] }, /^power: .* has no power/],
    ['more power than there is', { powers: [1_001n * GOPEN] }, /^power: .* voted, and only/],
  ]
  it.each(dishonest)('with %s does not verify, although all is signed', async (_name, forgery, expected) => {
    const { file, trust } = await aDishonestFile(forgery)
    expect(firstWrong(await verifyBallots(file, trust))).toMatch(expected)
  })

  it('of another proposal than the one asked about is refused', async () => {
    const { file, trust } = await aVote()
    const report = await verifyBallots(file, { ...trust, proposalId: `0x${'12'.repeat(32)}` })
    expect(firstWrong(report)).toMatch(/^proposal: the proposal is/)
  })

  it('is found in the log by the leaf of its vote, with this digest and outcome', async () => {
    const { file, trust, proposal, result, genesis } = await aVote()
    const leaf = {
      kind: 'vote',
      proposalId: proposal.id,
      outcome: result.outcome,
      ballotFile: result.ballotFile.sha256,
    }
    const verify = async (change: Json) => {
      const log = await aLog(genesis, [{ kind: 'genesis' }, { ...leaf, ...change }])
      return verifyBallots(file, { ...trust, voteProof: log.proofAt(1) })
    }
    const report = await verify({})
    expect(report.ok).toBe(true)
    expect(report.notChecked).not.toContain('that the vote is in the log: no proof was given')
    expect(firstWrong(await verify({ kind: 'version' }))).toMatch(/^log leaf: the kind/)
    expect(firstWrong(await verify({ proposalId: '0x' }))).toMatch(/^log leaf: the proposal/)
    expect(firstWrong(await verify({ ballotFile: 'x' }))).toMatch(/^log leaf: the ballot file/)
    expect(firstWrong(await verify({ outcome: 'disputed' }))).toMatch(/^log leaf: the outcome/)
  })
})
