import { accountRewards as accountRewardsSchema, payoutView } from '../../api/schemas/rewards.ts'
import type { Bytes32 } from '../../domain/protocol/hex.ts'
import { keccak256Hex } from '../../domain/protocol/ids.ts'
import type { PayoutFile } from '../../domain/protocol/payout-file.ts'
import { verifyPayoutProof } from '../../domain/protocol/payout-tree.ts'
import { accountRewards } from '../../domain/rewards/account-rewards.ts'
import {
  measurementPrefix,
  type PlanSettlementDeps,
  planSettlement,
} from '../../domain/rewards/plan-settlement.ts'
import type { ChainRoot } from '../../domain/rewards/ports.ts'
import { proposeRoot } from '../../domain/rewards/propose-root.ts'
import { requestSettlement, settleDuePeriods } from '../../domain/rewards/request-settlement.ts'
import { settlePeriodOnce } from '../../domain/rewards/settle-period.ts'
import { presentPayout, presentRewards } from '../../functions/rewards/present-payout.ts'
import { verifyPayout } from '../../verify/index.ts'
import { payoutLeaf, payoutRoot } from '../../verify/merkle.ts'
import {
  ANN,
  aRewardsStage,
  BEN,
  BLOCK,
  CLEO,
  COPIER,
  DATANET,
  GUESSER,
  JUDGE,
  MEASURED,
  OTHER_DATANET,
  type RewardsStage,
} from '../support/rewards-stage.ts'

const PERIOD_SECONDS = 86_400
/** Noon of day 20,000. */
const NOW = 20_000.5 * PERIOD_SECONDS * 1_000
const TODAY = 20_000
const REVENUE = 1_000_000_000_000_000_007n

const planDeps = (stage: RewardsStage, rehearsal = true): PlanSettlementDeps => ({
  ...stage.deps,
  periodSeconds: PERIOD_SECONDS,
  rehearsal,
  jobFacts: (_profile, recipe) => ({
    stage: 'test',
    artifactsBucket: 'artifacts',
    dataBucket: 'data',
    recipe,
    profile: {
      name: 'tiny',
      training: {
        image: 'i',
        instanceType: 'ml.m5.large',
        instanceCount: 1,
        volumeGb: 1,
        maxRuntimeSeconds: 60,
        maxWaitSeconds: 60,
        spot: false,
        networkIsolation: false,
        vpc: null,
        usdMicroPerHour: 1,
      },
    },
  }),
})
const plan = (stage: RewardsStage, period = TODAY, execution = 'first') =>
  planSettlement(planDeps(stage), { datanetId: DATANET, period, execution, now: NOW })

/** The machine, state by state. */
async function settle(stage: RewardsStage, period = TODAY, measuredAs: object = MEASURED) {
  const planned = await plan(stage, period)
  if (planned.state === 'nothing') return null
  const measured =
    planned.state === 'measure' ? { key: planned.key, jobName: `${planned.job.name}-t0` } : null
  if (measured !== null) stage.measure(measurementPrefix(measured.key, measured.jobName), measuredAs)
  return settlePeriodOnce(stage.deps, { datanetId: DATANET, period, measured, now: NOW })
}
function fileOf(stage: RewardsStage, period = TODAY): { text: string; file: PayoutFile } {
  const text = new TextDecoder().decode(stage.published.get(stage.settlements.periods.get(period)!.file.key))
  return { text, file: JSON.parse(text) }
}
const sum = (amounts: readonly string[]) => amounts.reduce((all, amount) => all + BigInt(amount), 0n)
const amountOf = (file: PayoutFile, account: string) =>
  BigInt(file.contributors.shares.find(share => share.account === account)?.amount ?? -1)

async function aSettledStage() {
  const stage = aRewardsStage()
  stage.funded.set(TODAY, REVENUE)
  await settle(stage)
  return stage
}

describe('a settled period', () => {
  it('gives what came in, to the last unit: paid and held and reserve are the revenue', async () => {
    const { file } = fileOf(await aSettledStage())
    const paid = sum(file.accounts.map(account => account.paid))
    const held = sum(file.accounts.map(account => account.heldNow))
    expect(paid + held + BigInt(file.reserve.added)).toBe(REVENUE)
    expect(file.revenue).toBe(String(REVENUE))
  })

  it('pays by the lower bound, by the floor, and nothing for harm and copies', async () => {
    const { file } = fileOf(await aSettledStage())
    expect(amountOf(file, ANN)).toBeGreaterThan(amountOf(file, BEN))
    expect(amountOf(file, BEN)).toBeGreaterThan(0n)
    expect([amountOf(file, CLEO), amountOf(file, COPIER)]).toEqual([0n, 0n])
    expect(file.underReview).toEqual([CLEO])
    const row = (account: string) => file.scores.find(score => score.account === account)
    expect(row(ANN)).toMatchObject({ lowPpm: 1_000_000, qualityPpm: 1_000_000, originalityPpm: 1_000_000 })
    // 40 lines, 10 of them copies: 30 of 40 are original, and 20 of those 30 were good enough.
    expect(row(BEN)).toMatchObject({ records: 20, originalityPpm: 750_000, qualityPpm: 666_666 })
    expect(row(COPIER)).toMatchObject({ records: 0, originalityPpm: 0, lowPpm: 0 })
  })

  it('pays validators by what the scoring left of their tasks', async () => {
    const { file } = fileOf(await aSettledStage())
    const shares = new Map(file.validators.shares.map(share => [share.account, share.amount]))
    expect(shares.get(JUDGE)).toBe(file.validators.amount)
    expect(shares.get(GUESSER)).toBe('0')
  })

  it('verifies offline, as do the next period and the scores and payout leaves', async () => {
    const stage = await aSettledStage()
    stage.funded.set(TODAY + 1, 77n)
    await settle(stage, TODAY + 1)
    const [first, second] = [fileOf(stage), fileOf(stage, TODAY + 1)]
    const { genesis } = stage.deps
    const report = await verifyPayout(second.text, {
      genesis: { chainId: genesis.chainId, gOpen: genesis.gOpen, deploymentId: genesis.deploymentId },
      rewardClaims: genesis.rewardClaims,
      previousFile: first.text,
      onChain: { fundedOf: 77n, root: second.file.root!, total: BigInt(second.file.total) },
    })
    expect(report.checks.filter(check => !check.ok)).toEqual([])
    expect(stage.leaves.map(leaf => [leaf.kind, leaf.period])).toEqual([
      ['scores', TODAY],
      ['payout', TODAY],
      ['scores', TODAY + 1],
      ['payout', TODAY + 1],
    ])
  })

  it('is settled once: again changes nothing, whatever came in or was measured meanwhile', async () => {
    const stage = await aSettledStage()
    const before = { ...fileOf(stage), leaves: stage.leaves.length, files: stage.published.size }
    stage.funded.set(TODAY, REVENUE * 2n)
    const again = await settle(stage, TODAY, {})
    expect(again).toEqual(stage.settlements.periods.get(TODAY))
    expect({ ...fileOf(stage), leaves: stage.leaves.length, files: stage.published.size }).toEqual(before)
  })

  it('is settled once by two that meet: one file is kept and both finish it', async () => {
    const stage = aRewardsStage()
    stage.funded.set(TODAY, REVENUE)
    const planned = await plan(stage)
    if (planned.state !== 'measure') throw new Error(planned.state)
    const settleAs = (jobName: string, measured: object) => {
      stage.measure(measurementPrefix(planned.key, jobName), measured)
      const input = { datanetId: DATANET, period: TODAY, measured: { key: planned.key, jobName }, now: NOW }
      return settlePeriodOnce(stage.deps, input)
    }
    const other = { ...MEASURED, [BEN]: { ...MEASURED[BEN], low: 0.3, high: 0.5, value: 0.4 } }
    const [one, two] = await Promise.all([settleAs('job-1', MEASURED), settleAs('job-2', other)])
    expect(one.file).toEqual(two.file)
    expect(stage.settlements.periods.size).toBe(1)
    expect(new Set(stage.leaves.map(leaf => leaf.kind)).size).toBe(stage.leaves.length)
  })

  it('is finished after a crash between the split and the log', async () => {
    const stage = aRewardsStage()
    stage.funded.set(TODAY, REVENUE)
    const { append } = stage.deps.log
    stage.deps.log.append = async () => {
      throw new Error('crash')
    }
    await expect(settle(stage)).rejects.toThrow('crash')
    const sha256 = stage.settlements.periods.get(TODAY)?.file.sha256
    stage.deps.log.append = append
    expect(await settle(stage)).toMatchObject({ file: { sha256 }, logIndex: 1 })
  })

  it('does not start from a payout file that somebody changed', async () => {
    const stage = await aSettledStage()
    const { key } = stage.settlements.periods.get(TODAY)!.file
    stage.published.set(
      key,
      new TextEncoder().encode(fileOf(stage).text.replace('"period":20000', '"period":20001')),
    )
    stage.funded.set(TODAY + 1, 5n)
    await expect(settle(stage, TODAY + 1)).rejects.toMatchObject({ code: 'digest-mismatch' })
  })

  it('refuses a measurement of other records than those of the dataset', async () => {
    const stage = aRewardsStage()
    stage.funded.set(TODAY, REVENUE)
    const fewer = { ...MEASURED, [ANN]: { ...MEASURED[ANN], records: 29 } }
    await expect(settle(stage, TODAY, fewer)).rejects.toMatchObject({ code: 'dataset-changed' })
    expect(stage.settlements.periods.size).toBe(0)
  })
})

function aFundedStage(): RewardsStage {
  const stage = aRewardsStage()
  stage.funded.set(TODAY, REVENUE)
  return stage
}

describe('planning a settlement', () => {
  it('takes the usefulness sets by turns, and measures on each once for one version', async () => {
    const stage = await aSettledStage()
    const setOf = (planned: Awaited<ReturnType<typeof plan>>) =>
      planned.state === 'measure'
        ? planned.job.request.InputDataConfig.find(channel => channel.ChannelName === 'usefulness')
            ?.DataSource.S3DataSource.S3Uri
        : planned.state
    for (const later of [1, 2]) stage.funded.set(TODAY + later, 5n)
    const first = setOf(await plan(aFundedStage()))
    const next = setOf(await plan(stage, TODAY + 1))
    expect(first).toMatch(/sealed\/[0-9a-f]{64}\.jsonl$/)
    expect(next).toMatch(/sealed\/[0-9a-f]{64}\.jsonl$/)
    expect(next).not.toBe(first)
    await settle(stage, TODAY + 1)
    expect(setOf(await plan(stage, TODAY + 2))).toBe('ready')
  })

  it('gives the job the weights, snapshots, records and set of the served line, and a name of its own', async () => {
    const stage = aRewardsStage()
    stage.funded.set(TODAY, REVENUE)
    const [first, second] = [await plan(stage), await plan(stage, TODAY, 'second')]
    if (first.state !== 'measure' || second.state !== 'measure') throw new Error('not measured')
    expect(first.job.name).not.toBe(second.job.name)
    expect(first.job.name.length).toBeLessThanOrEqual(60)
    const channels = first.job.request.InputDataConfig.map(channel => channel.ChannelName)
    expect(channels).toEqual(['model', 'snapshots', 'train', 'usefulness'])
    expect(first.job.request.HyperParameters).toMatchObject({ sagemaker_program: 'usefulness.py', seed: '1' })
    expect(stage.closed).toEqual(new Set([TODAY]))
  })

  it('leaves a period without revenue open, unless something held is due', async () => {
    const stage = aRewardsStage()
    expect(await plan(stage)).toEqual({ state: 'nothing' })
    expect(stage.closed.size).toBe(0)
    stage.funded.set(TODAY - 2, 1_000n)
    await settle(stage, TODAY - 2)
    expect(await plan(stage, TODAY - 1)).toEqual({ state: 'nothing' })
    expect(await plan(stage, TODAY)).toEqual({ state: 'ready' })
    await settle(stage, TODAY)
    const { file } = fileOf(stage)
    expect(sum(file.accounts.map(account => account.released))).toBeGreaterThan(0n)
    expect(file.revenue).toBe('0')
  })

  it('refuses a period that is not over, or that a settled one has passed', async () => {
    const stage = await aSettledStage()
    const at = (period: number, rehearsal: boolean) =>
      planSettlement(planDeps(stage, rehearsal), { datanetId: DATANET, period, execution: 'e', now: NOW })
    await expect(at(TODAY + 2, true)).rejects.toMatchObject({ code: 'malformed' })
    await expect(at(TODAY + 1, false)).rejects.toMatchObject({ code: 'malformed' })
    await expect(at(TODAY - 1, true)).rejects.toMatchObject({ code: 'period-settled' })
  })

  it('does not give one Datanet what another earned', async () => {
    const stage = aRewardsStage()
    stage.funded.set(TODAY, REVENUE)
    stage.used.datanets = [DATANET, OTHER_DATANET]
    await expect(plan(stage)).rejects.toMatchObject({ code: 'conflict' })
  })
})

describe('asking for a settlement', () => {
  const RUNNING = { execution: 'e-1', state: 'running' as 'running' | 'succeeded' }
  const asked = (
    stage: RewardsStage,
    rehearsal: boolean,
    period: number,
    now = NOW,
    outcome: typeof RUNNING | null = RUNNING,
  ) => {
    const started: unknown[] = []
    const deps = {
      genesis: { rehearsal },
      settlements: stage.settlements,
      periodSeconds: PERIOD_SECONDS,
      aliases: stage.deps.aliases,
      starter: {
        async start(input: unknown) {
          started.push(input)
          return outcome
        },
      },
    }
    return {
      started,
      request: () => requestSettlement(deps, { datanetId: DATANET, period, now }),
      due: () => settleDuePeriods(deps, now),
    }
  }

  it('starts one on a rehearsal stage, and is refused elsewhere', async () => {
    const stage = aRewardsStage()
    expect(await asked(stage, true, TODAY).request()).toEqual({
      period: TODAY,
      state: 'running',
      execution: 'e-1',
    })
    await expect(asked(stage, false, TODAY).request()).rejects.toMatchObject({ code: 'forbidden' })
    await expect(asked(stage, true, TODAY + 1).request()).rejects.toMatchObject({ code: 'malformed' })
  })

  it('starts nothing for a period whose root is on chain, and goes on with one whose root is not', async () => {
    const stage = await aSettledStage()
    const { started, request } = asked(stage, true, TODAY)
    expect((await request()).state).toBe('running')
    await stage.settlements.recordProposed(TODAY, { transaction: null, logHead: keccak256Hex('head') })
    expect(await request()).toEqual({ period: TODAY, state: 'settled', execution: null })
    expect(started.length).toBe(1)
  })

  it('by schedule settles the period that ended last, and not one that was settled', async () => {
    const stage = aRewardsStage()
    const tomorrow = asked(stage, false, TODAY, NOW + PERIOD_SECONDS * 1_000)
    expect(await tomorrow.due()).toEqual({ executions: ['e-1'] })
    expect(tomorrow.started).toMatchObject([{ period: TODAY }])
    stage.funded.set(TODAY, REVENUE)
    await settle(stage)
    expect(await tomorrow.due()).toEqual({ executions: ['e-1'] })
    await stage.settlements.recordProposed(TODAY, { transaction: null, logHead: keccak256Hex('head') })
    expect(await tomorrow.due()).toEqual({ executions: [] })
  })

  it('by schedule makes missed periods good one after the other, and never skips one that failed', async () => {
    const stage = await aSettledStage()
    await stage.settlements.recordProposed(TODAY, { transaction: null, logHead: keccak256Hex('head') })
    const later = NOW + 3 * PERIOD_SECONDS * 1_000
    const periods = async (outcome: typeof RUNNING | null) => {
      const { due, started } = asked(stage, false, TODAY, later, outcome)
      await due()
      return started.map(input => (input as { period: number }).period)
    }
    expect(await periods(RUNNING)).toEqual([TODAY + 1])
    expect(await periods(null)).toEqual([TODAY + 1])
    // Nothing came in on either day.
    expect(await periods({ ...RUNNING, state: 'succeeded' })).toEqual([TODAY + 1, TODAY + 2])
  })
})

describe('the root of a period', () => {
  const HEAD = (size: number) =>
    ({ frontier: { size }, note: `origin\n${size}\nroot\n\n— origin ${'A'.repeat(92)}\n` }) as never
  const proposing = (stage: RewardsStage, size: number) => {
    const sent: Omit<ChainRoot, 'claimableAt'>[] = []
    const deps = {
      settlements: stage.settlements,
      log: { published: async () => HEAD(size) },
      claims: {
        async propose(root: Omit<ChainRoot, 'claimableAt'>): Promise<Bytes32> {
          sent.push(root)
          return keccak256Hex('a transaction')
        },
      },
    }
    return { sent, propose: () => proposeRoot(deps, TODAY) }
  }

  it('goes to the chain once, with the head that covers its leaf', async () => {
    const stage = await aSettledStage()
    const { sent, propose } = proposing(stage, 2)
    const proposal = await propose()
    expect(await propose()).toEqual(proposal)
    const { file } = fileOf(stage)
    expect(sent).toMatchObject([{ period: TODAY, root: file.root, totalWei: BigInt(file.total) }])
  })

  it('waits for a signed head that covers the payout', async () => {
    const { sent, propose } = proposing(await aSettledStage(), 1)
    await expect(propose()).rejects.toMatchObject({ code: 'unavailable' })
    expect(sent).toEqual([])
  })
})

describe('what an account sees', () => {
  async function rewardsOf(stage: RewardsStage, account: typeof ANN, claimedWei = 0n) {
    const { file } = fileOf(stage)
    const root = {
      root: file.root!,
      period: TODAY,
      totalWei: BigInt(file.total),
      logHead: file.root!,
      claimableAt: 0,
    }
    const claims = {
      roots: async () => ({ pending: null, claimable: root }),
      claimedOf: async () => claimedWei,
    }
    const shown = presentRewards(await accountRewards({ settlements: stage.settlements, claims }, account))
    return accountRewardsSchema.parse(shown)
  }

  it("is a proof that leads to the published root by the verifier's own hashing", async () => {
    const stage = await aSettledStage()
    const { file } = fileOf(stage)
    const { proof, claimableWei, heldWei, cumulativeWei } = await rewardsOf(stage, ANN)
    expect(proof).not.toBeNull()
    const leaves = file.accounts
      .filter(({ after }) => after.cumulative !== '0')
      .map(({ account, after }) => payoutLeaf(account, BigInt(after.cumulative)))
    expect(payoutRoot(leaves)).toBe(proof!.root)
    const leaf = { account: ANN, cumulativeAmount: BigInt(proof!.cumulativeWei) }
    const siblings = proof!.siblings as Bytes32[]
    expect(verifyPayoutProof(proof!.root as Bytes32, leaf, siblings)).toBe(true)
    const more = { ...leaf, cumulativeAmount: leaf.cumulativeAmount + 1n }
    expect(verifyPayoutProof(proof!.root as Bytes32, more, siblings)).toBe(false)
    expect(claimableWei).toBe(cumulativeWei)
    expect(BigInt(claimableWei) + BigInt(heldWei)).toBe(amountOf(file, ANN))
  })

  it('is less by what was claimed, and never below nothing', async () => {
    const stage = await aSettledStage()
    const { cumulativeWei } = await rewardsOf(stage, ANN)
    expect((await rewardsOf(stage, ANN, BigInt(cumulativeWei) - 5n)).claimableWei).toBe('5')
    expect((await rewardsOf(stage, ANN, BigInt(cumulativeWei) + 5n)).claimableWei).toBe('0')
  })

  it('says which rule paid, and why somebody got nothing', async () => {
    const stage = await aSettledStage()
    const ruleOf = async (account: typeof ANN) => (await rewardsOf(stage, account)).periods[0]?.contributor
    expect((await ruleOf(ANN))?.rule).toBe('lower-bound')
    expect((await ruleOf(BEN))?.rule).toBe('quality-floor')
    expect((await ruleOf(CLEO))?.rule).toBe('harmful')
    expect(await ruleOf(COPIER)).toMatchObject({ rule: 'not-trained-on', amountWei: '0' })
    expect((await ruleOf(COPIER))?.reason).toContain('100 % of what you sent were copies')
    const shown = payoutView.parse(presentPayout(stage.settlements.periods.get(TODAY)!, fileOf(stage).file))
    expect(shown.contributors.length).toBe(4)
    expect(shown.readAt.blockNumber).toBe(BLOCK.number)
  })
})
