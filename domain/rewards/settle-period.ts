import { payoutLeaf, scoresLeaf } from '../data/attribution-leaf.ts'
import type { Log, SubmissionBook } from '../data/ports.ts'
import { OpenLedgerError } from '../errors.ts'
import type { Genesis } from '../governance/genesis.ts'
import { canonicalBytes } from '../protocol/canonical-json.ts'
import { type Bytes32, parseBytes32, type Sha256Hex } from '../protocol/hex.ts'
import { sha256Hex } from '../protocol/ids.ts'
import { type PayoutFile, scoresDigest } from '../protocol/payout-file.ts'
import { payoutTree } from '../protocol/payout-tree.ts'
import type { AliasBook, UsageBook } from '../serving/ports.ts'
import { contributorScores, parseUsefulness } from './contributor-scores.ts'
import { standingRule } from './explain-share.ts'
import {
  type ModelLine,
  type ModelLineDeps,
  measurementKey,
  modelLine,
  requireSoleEarner,
} from './model-line.ts'
import { POOLS, QUALITY_FLOOR_PPM } from './pay-rules.ts'
import { HELD_PPM, RELEASE_AFTER_PERIODS } from './payout.ts'
import { measurementPrefix, recipeOf } from './plan-settlement.ts'
import type {
  AccountPeriod,
  MeasurementBook,
  PoolPart,
  RewardClaims,
  SettledPeriod,
  SettlementBook,
} from './ports.ts'
import { readPayout, readPayoutFile } from './read-payout.ts'
import { type ContributorScores, usefulnessWeights } from './usefulness-weights.ts'
import { roundsOfProposal, validatorWeights } from './validator-weights.ts'
import { writePayoutFile } from './write-payout-file.ts'

export type SettlePeriodDeps = ModelLineDeps &
  Parameters<typeof roundsOfProposal>[0] & {
    readonly genesis: Genesis
    readonly settlements: SettlementBook
    readonly measurements: MeasurementBook
    readonly claims: Pick<RewardClaims, 'fundedOf'>
    readonly usage: Pick<UsageBook, 'usageOfPeriod'>
    readonly aliases: Pick<AliasBook, 'list'>
    readonly submissions: Pick<SubmissionBook, 'all'>
    readonly artifacts: { get(key: string): Promise<Uint8Array | null> }
    readonly files: {
      put(key: string, bytes: Uint8Array, contentType: string): Promise<void>
      get(key: string): Promise<Uint8Array | null>
    }
    readonly log: Log
  }

export type SettlePeriodInput = {
  readonly datanetId: Bytes32
  readonly period: number
  /** The job that measured just now; null when it was measured before, or there is nothing to split. */
  readonly measured: { readonly key: Sha256Hex; readonly jobName: string } | null
  readonly now: number
}

/**
 * Splits what a period received, publishes the payout file and logs it. The period is its natural key: the first
 * split is kept, and settling again finds it and finishes what a crash left open.
 * @throws OpenLedgerError conflict, not-found, dataset-changed, period-settled; unavailable when another period was
 * settled at the same moment (retry)
 */
export async function settlePeriodOnce(
  deps: SettlePeriodDeps,
  input: SettlePeriodInput,
): Promise<SettledPeriod> {
  const kept = await deps.settlements.get(input.period)
  const settled = kept ?? (await splitPeriod(deps, input))
  const file = await readPayoutFile(deps.files, settled)
  await deps.settlements.keepAccounts(accountPeriods(settled.datanetId, file))
  if (settled.logIndex !== null) return settled
  await deps.log.append(scoresLeaf(file.period, scoresDigest(file)))
  const { index } = await deps.log.append(
    payoutLeaf({
      period: file.period,
      root: file.root,
      total: BigInt(file.total),
      fileSha256: settled.file.sha256,
    }),
  )
  await deps.settlements.recordLogged(settled.period, index)
  return { ...settled, logIndex: index }
}

async function splitPeriod(deps: SettlePeriodDeps, input: SettlePeriodInput): Promise<SettledPeriod> {
  const { datanetId, period } = input
  const { genesis } = deps
  const latest = await deps.settlements.latest()
  const before = await readPayout(deps.files, latest)
  const { amountWei, block } = await deps.claims.fundedOf(period)
  const weighed = amountWei === 0n ? NOTHING_TO_SPLIT : await weigh(deps, input)
  const { reviews } = usefulnessWeights(weighed.scores, QUALITY_FLOOR_PPM)
  const { file } = writePayoutFile(
    {
      genesis,
      rewardClaims: genesis.rewardClaims,
      before: before.state,
      previous: latest === null ? null : { period: latest.period, fileSha256: latest.file.sha256 },
    },
    {
      period,
      revenue: amountWei,
      pools: POOLS,
      qualityFloorPpm: QUALITY_FLOOR_PPM,
      ...weighed,
      heldPpm: HELD_PPM,
      heldWhole: new Set(),
      releaseAfterPeriods: RELEASE_AFTER_PERIODS,
      penalties: [],
      underReview: new Set(reviews),
    },
  )
  const bytes = canonicalBytes(file)
  const sha256 = sha256Hex(bytes)
  const key = `payouts/${period}/${sha256}.json`
  await deps.files.put(key, bytes, 'application/json')
  const settled: SettledPeriod = {
    period,
    datanetId,
    file: { key, sha256 },
    root: file.root,
    revenueWei: amountWei,
    totalWei: BigInt(file.total),
    readAt: { number: block.number, hash: block.hash },
    settledAt: input.now,
    logIndex: null,
    proposal: null,
  }
  const outcome = await deps.settlements.keep(settled, latest?.period ?? null)
  if (outcome === 'kept') return settled
  const other = await deps.settlements.get(period)
  if (other !== null) return other
  throw new OpenLedgerError('unavailable', 'Another period was settled at the same moment; try again', {
    expected: `${latest?.period ?? 'none'} as the last settled period`,
  })
}

type Weighed = Pick<Parameters<typeof writePayoutFile>[1], 'scores' | 'validatorWeights'>
const NOTHING_TO_SPLIT: Weighed = { scores: [], validatorWeights: [] }

async function weigh(deps: SettlePeriodDeps, input: SettlePeriodInput): Promise<Weighed> {
  await requireSoleEarner(deps, input.datanetId, input.period)
  const line = await modelLine(deps, input.datanetId, input.period)
  const proposalId = parseBytes32(line.served.lineage.proposalId)
  return {
    scores: await scoresOf(deps, line, input),
    validatorWeights: validatorWeights(await roundsOfProposal(deps, proposalId)),
  }
}

async function scoresOf(
  deps: SettlePeriodDeps,
  line: ModelLine,
  { measured }: SettlePeriodInput,
): Promise<ContributorScores[]> {
  const key = measurementKey(line, await recipeOf(deps, line))
  // A release between planning and weighing serves another version, which this job did not measure.
  const known =
    measured?.key === key
      ? await deps.measurements.keep(key, {
          jobName: measured.jobName,
          prefix: measurementPrefix(key, measured.jobName),
        })
      : await deps.measurements.get(key)
  if (known === null)
    throw new OpenLedgerError('conflict', 'The served version is not the one that was measured', {
      expected: `a measurement ${key}`,
      seen: measured?.key ?? 'none',
    })
  const file = `${known.prefix}usefulness.json`
  const { manifest } = line.dataset
  const decided = []
  for await (const submission of deps.submissions.all(line.datanetId))
    if (submission.logIndex !== null) decided.push(submission)
  return contributorScores(
    parseUsefulness(await deps.artifacts.get(file), file),
    manifest.contributors,
    decided,
  )
}

/** What each account of a file got, with the proof that it claims with. */
export function accountPeriods(datanetId: Bytes32, file: PayoutFile): AccountPeriod[] {
  const leaves = file.accounts
    .filter(({ after }) => after.cumulative !== '0')
    .map(({ account, after }) => ({ account, cumulativeAmount: BigInt(after.cumulative) }))
  const tree = leaves.length === 0 ? null : payoutTree(leaves)
  const scores = new Map(file.scores.map(row => [row.account, row]))
  const contributors = partsOf(file.contributors)
  const validators = partsOf(file.validators)
  return file.accounts.map(({ account, ...money }) => {
    const score = scores.get(account)
    const part = contributors.get(account)
    return {
      account,
      period: file.period,
      datanetId,
      root: file.root,
      proof: tree === null || money.after.cumulative === '0' ? null : tree.proof(account),
      contributor:
        score === undefined || part === undefined
          ? null
          : { ...part, score, rule: standingRule(score, file.scores, file.qualityFloorPpm) },
      validator: validators.get(account) ?? null,
      money,
    }
  })
}

function partsOf(pool: PayoutFile['contributors']): Map<string, PoolPart> {
  const weights = new Map(pool.weights.map(({ account, weight }) => [account, weight]))
  return new Map(
    pool.shares.map(({ account, amount, heldPpm }) => [
      account,
      { weight: weights.get(account) ?? '0', amount, heldPpm },
    ]),
  )
}
