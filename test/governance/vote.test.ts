import { readBallotFile } from '../../domain/governance/ballot-file.ts'
import { castBallot } from '../../domain/governance/cast-ballot.ts'
import { closeVote, shutGates } from '../../domain/governance/close-vote.ts'
import { proposalState } from '../../domain/governance/proposal.ts'
import { addressOf, aStage, GOPEN, walletOf } from '../support/governance-stage.ts'

const closed = async (
  stage: ReturnType<typeof aStage>,
  proposal: Awaited<ReturnType<typeof stage.openVote>>,
) => {
  stage.closes(proposal)
  await shutGates(stage.deps, { proposalId: proposal.id, now: stage.clock.now })
  return closeVote(stage.deps, { proposalId: proposal.id, now: stage.clock.now })
}

describe('when a vote is open', () => {
  test.each([
    ['at the snapshot', 'opensAt', 0, 'proposal-not-open'],
    ['one second after the snapshot', 'opensAt', 1_000, null],
    ['in the last second', 'closesAt', 999, null],
    ['one second after the deadline', 'closesAt', 1_000, 'proposal-not-open'],
  ] as const)('a ballot %s is judged as OpenZeppelin judges it', async (_when, edge, offset, code) => {
    const stage = aStage()
    const proposal = await stage.openVote()
    stage.clock.now = Date.parse(proposal.document[edge]) + offset
    const cast = stage.vote(proposal.id, 'bob', 1)
    if (code === null) await expect(cast).resolves.toMatchObject({ counted: true })
    else await expect(cast).rejects.toMatchObject({ code })
  })

  test('a proposal without enough admits never opens and has lapsed when it would have', async () => {
    const stage = aStage()
    const proposal = await stage.propose('alice')
    await stage.review(proposal.id, 'governor-1')
    stage.clock.now = Date.parse(proposal.document.opensAt) + 1_000
    const stored = await stage.deps.proposals.get(proposal.id)
    expect(stored && proposalState(stored, stage.clock.now)).toBe('lapsed')
    await expect(stage.vote(proposal.id, 'bob', 1)).rejects.toMatchObject({ code: 'proposal-not-open' })
  })

  test('two rejections of three governors end the review', async () => {
    const stage = aStage()
    const proposal = await stage.propose('alice')
    await stage.review(proposal.id, 'governor-1', 'reject')
    await stage.review(proposal.id, 'governor-2', 'reject')
    await expect(stage.review(proposal.id, 'governor-3')).rejects.toMatchObject({
      code: 'proposal-not-reviewable',
    })
  })

  test('only a governor reviews', async () => {
    const stage = aStage()
    const proposal = await stage.propose('alice')
    await expect(stage.review(proposal.id, 'bob')).rejects.toMatchObject({ code: 'not-governor' })
  })
})

describe('one address has one counted ballot', () => {
  test('the highest nonce counts, whatever came first', async () => {
    for (const order of [
      [1, 2],
      [2, 1],
    ]) {
      const stage = aStage()
      const proposal = await stage.openVote()
      for (const nonce of order) await stage.vote(proposal.id, 'alice', nonce === 2 ? 1 : 0, nonce)
      const result = await closed(stage, proposal)
      expect(result.tally).toEqual({ againstWei: 0n, forWei: 600n * GOPEN, abstainWei: 0n })
      expect(result.voters).toBe(1)
    }
  })

  test('the same ballot again changes nothing; the same nonce with another choice is recorded and refused', async () => {
    const stage = aStage()
    const proposal = await stage.openVote()
    await stage.vote(proposal.id, 'alice', 1, 7)
    await expect(stage.vote(proposal.id, 'alice', 1, 7)).resolves.toMatchObject({ counted: true })
    await expect(stage.vote(proposal.id, 'alice', 0, 7)).rejects.toMatchObject({ code: 'equivocation' })
    expect(stage.deps.equivocations).toHaveLength(1)
    const result = await closed(stage, proposal)
    expect(result).toMatchObject({ outcome: 'passed', voters: 1 })
  })

  test("a ballot signed by another key than the voter's is refused", async () => {
    const stage = aStage()
    const proposal = await stage.openVote()
    const forged = {
      ...(await stage.ballotOf(proposal.id, 'bob', 1, 1)),
      voter: addressOf(walletOf('alice')),
    }
    await expect(castBallot(stage.deps, { ...forged, receivedAt: stage.clock.now })).rejects.toMatchObject({
      code: 'wrong-signer',
    })
  })

  test('an address without votes at the snapshot is told what to do', async () => {
    const stage = aStage()
    const proposal = await stage.openVote()
    await expect(stage.vote(proposal.id, 'stranger', 1)).rejects.toMatchObject({
      code: 'zero-power',
      seen: expect.stringContaining('delegate'),
    })
  })

  test('after the gates are shut a ballot that was received in time is refused, not half counted', async () => {
    const stage = aStage()
    const proposal = await stage.openVote()
    await stage.vote(proposal.id, 'alice', 1)
    const receivedAt = stage.clock.now
    stage.closes(proposal)
    await shutGates(stage.deps, { proposalId: proposal.id, now: stage.clock.now })
    stage.clock.now = receivedAt
    await expect(stage.vote(proposal.id, 'bob', 1)).rejects.toMatchObject({ code: 'proposal-not-open' })
  })

  test('the gates do not shut before the deadline has passed', async () => {
    const stage = aStage()
    const proposal = await stage.openVote()
    stage.clock.now = Date.parse(proposal.document.closesAt)
    await expect(
      shutGates(stage.deps, { proposalId: proposal.id, now: stage.clock.now }),
    ).rejects.toMatchObject({
      code: 'proposal-not-open',
    })
  })
})

describe('the outcome is OpenZeppelin’s', () => {
  test.each([
    ['quorum - 1 fails', { for: 249n }, 'defeated'],
    ['the quorum itself passes', { for: 250n }, 'passed'],
    ['abstentions count toward the quorum', { for: 1n, abstain: 249n }, 'passed'],
    ['a tie fails', { for: 300n, against: 300n }, 'defeated'],
    ['abstentions alone fail', { abstain: 500n }, 'defeated'],
    ['one more for than against passes', { for: 301n, against: 300n }, 'passed'],
  ] as const)('%s', async (_name, votes: { for?: bigint; against?: bigint; abstain?: bigint }, outcome) => {
    const stage = aStage({
      alice: 600n * GOPEN,
      yes: (votes.for ?? 0n) * GOPEN,
      no: (votes.against ?? 0n) * GOPEN,
      neither: (votes.abstain ?? 0n) * GOPEN,
    })
    const proposal = await stage.openVote()
    if (votes.for) await stage.vote(proposal.id, 'yes', 1)
    if (votes.against) await stage.vote(proposal.id, 'no', 0)
    if (votes.abstain) await stage.vote(proposal.id, 'neither', 2)
    expect(await closed(stage, proposal)).toMatchObject({ outcome })
  })

  test('counters that differ from the recount make the proposal disputed, with both counts in the reason', async () => {
    const stage = aStage()
    const proposal = await stage.openVote()
    await stage.vote(proposal.id, 'alice', 1)
    stage.deps.gateOf(proposal.id, 0).tally.forWei += 1n
    const result = await closed(stage, proposal)
    expect(result).toMatchObject({ outcome: 'disputed', executableAt: null })
    expect(result.reason).toContain(`recount says against 0, for ${600n * GOPEN}`)
  })

  test('the published file holds every valid ballot, without arrival times, and equals the tally', async () => {
    const stage = aStage()
    const proposal = await stage.openVote()
    await stage.vote(proposal.id, 'alice', 0, 1)
    await stage.vote(proposal.id, 'alice', 1, 2)
    await stage.vote(proposal.id, 'bob', 2, 1)
    const result = await closed(stage, proposal)
    const { ballots } = readBallotFile(stage.files.get(result.ballotFile.key) as Uint8Array)
    expect(ballots.map(line => [line.support, line.counted]).sort()).toEqual(
      [
        [0, false],
        [1, true],
        [2, true],
      ].sort(),
    )
    expect(JSON.stringify(ballots)).not.toContain('receivedAt')
  })
})

describe('a proposal', () => {
  test('is refused when it was made for another deployment, other rules or other windows', async () => {
    const stage = aStage()
    const other = `0x${'11'.repeat(32)}`
    await expect(stage.propose('alice', undefined, { deploymentId: other })).rejects.toMatchObject({
      code: 'wrong-deployment',
    })
    await expect(stage.propose('alice', undefined, { rules: other })).rejects.toMatchObject({
      code: 'rules-not-allowed',
    })
    const soon = new Date(stage.clock.now + 1_000).toISOString()
    await expect(stage.propose('alice', undefined, { opensAt: soon })).rejects.toMatchObject({
      code: 'proposal-window-invalid',
    })
  })

  test('needs the threshold of votes, and an address has one live proposal', async () => {
    const stage = aStage()
    await expect(stage.propose('stranger')).rejects.toMatchObject({ code: 'below-threshold' })
    await stage.propose('alice')
    stage.clock.now += 1_000
    await expect(stage.propose('alice')).rejects.toMatchObject({ code: 'conflict' })
  })
})
