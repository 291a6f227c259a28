/** A model line that earns, in memory: a served version, its dataset, its submissions, and a chain that was funded. */
import type { Round } from '../../domain/alignment/ports.ts'
import type { ValidatorScore } from '../../domain/alignment/score-validators.ts'
import type { Leaf } from '../../domain/data/ports.ts'
import type { Submission } from '../../domain/data/submission.ts'
import { canonicalBytes } from '../../domain/protocol/canonical-json.ts'
import { type Address, type Bytes32, parseAddress } from '../../domain/protocol/hex.ts'
import { documentDigest, keccak256Hex, sha256Hex } from '../../domain/protocol/ids.ts'
import type {
  AccountPeriod,
  Measurement,
  MeasurementBook,
  SettledPeriod,
  SettlementBook,
} from '../../domain/rewards/ports.ts'
import type { SettlePeriodDeps } from '../../domain/rewards/settle-period.ts'
import type { UsageBook } from '../../domain/serving/ports.ts'
import type { UsageTotal } from '../../domain/serving/usage.ts'
import type { Version } from '../../domain/training/ports.ts'
import { aStage } from './governance-stage.ts'

export const DATANET = keccak256Hex('a datanet that earns')
export const OTHER_DATANET = keccak256Hex('another datanet')
const PROPOSAL = keccak256Hex('a build')
const ALIGN_RUN = keccak256Hex('an align run')
const USEFULNESS_SET = sha256Hex('a usefulness set')
const JOB = 'test-train-1-t0'
export const BLOCK = { number: 7, hash: keccak256Hex('block 7'), timestamp: 1 }

const person = (digit: string): Address => parseAddress(`0x${digit.repeat(40)}`)
export const [ANN, BEN, CLEO, COPIER] = ['1', '2', '3', '4'].map(person) as [
  Address,
  Address,
  Address,
  Address,
]
export const [JUDGE, GUESSER] = ['8', '9'].map(person) as [Address, Address]

const RECIPE = {
  schema: 1,
  profile: 'tiny',
  code: sha256Hex('code'),
  wheels: null,
  jobs: { usefulness: { seed: '1' } },
} as const
const RECIPE_DIGEST = documentDigest(RECIPE)

/** What the measuring job leaves: Ann helped most, Ben cannot be told from none, Cleo did harm. */
export const MEASURED = {
  [ANN]: { value: 0.5, low: 0.4, high: 0.6, records: 30, measured: 30 },
  [BEN]: { value: 0.01, low: -0.1, high: 0.1, records: 20, measured: 20 },
  [CLEO]: { value: -0.3, low: -0.4, high: -0.2, records: 10, measured: 10 },
}

export function settlementStore(): SettlementBook & {
  readonly periods: ReadonlyMap<number, SettledPeriod>
  readonly accounts: ReadonlyMap<string, AccountPeriod>
} {
  const periods = new Map<number, SettledPeriod>()
  const accounts = new Map<string, AccountPeriod>()
  let latest: number | null = null
  const change = (period: number, fields: Partial<SettledPeriod>) => {
    const before = periods.get(period)
    if (before !== undefined) periods.set(period, { ...before, ...fields })
  }
  return {
    periods,
    accounts,
    latest: async () => (latest === null ? null : (periods.get(latest) ?? null)),
    get: async period => periods.get(period) ?? null,
    async keep(settled, after) {
      if (periods.has(settled.period)) return 'settled'
      if (latest !== after) return 'changed'
      periods.set(settled.period, settled)
      latest = settled.period
      return 'kept'
    },
    async recordLogged(period, logIndex) {
      if (periods.get(period)?.logIndex === null) change(period, { logIndex })
    },
    async recordProposed(period, proposal) {
      if (periods.get(period)?.proposal === null) change(period, { proposal })
    },
    list: async () => ({ items: [...periods.values()].reverse(), cursor: null }),
    async keepAccounts(rows) {
      for (const row of rows) accounts.set(`${row.account} ${row.period}`, row)
    },
    account: async account => [...accounts.values()].filter(row => row.account === account).reverse(),
  }
}

export function measurementStore(): MeasurementBook {
  const kept = new Map<string, Measurement>()
  return {
    get: async key => kept.get(key) ?? null,
    async keep(key, measurement) {
      if (!kept.has(key)) kept.set(key, measurement)
      return kept.get(key) ?? measurement
    },
  }
}

const version = {
  id: keccak256Hex('a version'),
  lineage: {
    kind: 'fine-tune',
    runId: keccak256Hex('a fine-tune run'),
    proposalId: PROPOSAL,
    baseModel: sha256Hex('a base model'),
    recipe: RECIPE_DIGEST,
    dataset: { datasetId: keccak256Hex('a dataset') },
    jobs: [{ name: JOB, program: 'finetune', image: 'i' }],
  },
} as unknown as Version

const submission = (
  contributor: Address,
  lines: number,
  refused: Record<string, number> = {},
  logIndex: number | null = 3,
): Submission => {
  const accepted = lines - Object.values(refused).reduce((sum, count) => sum + count, 0)
  return {
    manifest: { contributor },
    outcome: { lines, accepted, refused },
    logIndex,
  } as unknown as Submission
}

const scored = (validator: Address, tasks: number, weightPpm: number) =>
  ({ validator, tasks, weightPpm }) as unknown as ValidatorScore
const round = {
  id: keccak256Hex('a round'),
  runId: ALIGN_RUN,
  state: 'closed',
  scores: { validators: [scored(JUDGE, 40, 900_000), scored(GUESSER, 40, 0)], agreementPpm: 1 },
} as unknown as Round

export type RewardsStage = ReturnType<typeof aRewardsStage>

/** All that settling needs. `funded` is base units by period; `usage` who used what in every period. */
export function aRewardsStage() {
  const funded = new Map<number, bigint>()
  const objects = new Map<string, Uint8Array>([[`recipes/${RECIPE_DIGEST}.json`, canonicalBytes(RECIPE)]])
  const published = new Map<string, Uint8Array>()
  const leaves: Leaf[] = []
  const used = { datanets: [DATANET] as Bytes32[] }
  const closed = new Set<number>()
  const settlements = settlementStore()
  const deps = {
    genesis: aStage().genesis,
    settlements,
    measurements: measurementStore(),
    claims: { fundedOf: async (period: number) => ({ amountWei: funded.get(period) ?? 0n, block: BLOCK }) },
    usage: {
      async closePeriod(period: number) {
        closed.add(period)
      },
      usageOfPeriod: async () =>
        used.datanets.map(datanetId => ({ datanetId, chargedWei: 1n }) as unknown as UsageTotal),
    },
    aliases: {
      list: async () => [
        { alias: 'a', datanetId: DATANET, current: { version: version.id, modelProfile: 'tiny' } } as never,
      ],
    },
    versions: { get: async (id: Bytes32) => (id === version.id ? version : null) },
    datasets: {
      get: async (id: Bytes32) =>
        ({ id, manifest: { logSize: 10, contributors: { [ANN]: 30, [BEN]: 20, [CLEO]: 10 } } }) as never,
    },
    datanets: {
      get: async (id: Bytes32) => ({ id, terms: termsWith(USEFULNESS_SET) }) as never,
    },
    submissions: {
      async *all() {
        yield submission(ANN, 30)
        yield submission(BEN, 40, { 'near-copy': 10, 'too-long': 10 })
        yield submission(CLEO, 10)
        yield submission(COPIER, 25, { 'near-copy': 20, 'exact-copy': 5 })
        yield submission(COPIER, 25, {}, null) // not in the log yet
      },
    },
    runs: { list: async () => ({ items: [{ id: ALIGN_RUN, proposalId: PROPOSAL } as never], cursor: null }) },
    rounds: { list: async () => ({ items: [round], cursor: null }) },
    artifacts: { get: async (key: string) => objects.get(key) ?? null },
    files: {
      async put(key: string, bytes: Uint8Array) {
        published.set(key, bytes)
      },
      get: async (key: string) => published.get(key) ?? null,
    },
    log: {
      async append(leaf: Leaf) {
        const known = leaves.findIndex(one => documentDigest(one) === documentDigest(leaf))
        return { index: known >= 0 ? known : leaves.push(leaf) - 1 }
      },
    },
  } satisfies SettlePeriodDeps & { readonly usage: UsageBook }
  return {
    deps,
    funded,
    used,
    closed,
    leaves,
    published,
    settlements,
    /** The job's file, where the planned job leaves it. */
    measure(prefix: string, measured: object = MEASURED) {
      objects.set(`${prefix}usefulness.json`, canonicalBytes(measured))
    },
  }
}

function termsWith(digest: string) {
  const set = { digest, items: 1 }
  return {
    schema: 1,
    slug: 'a-datanet',
    title: 'A Datanet',
    purpose: 'To be paid for what is useful.',
    recordProfile: 'instruction',
    systemPrompt: '',
    licenses: ['CC-BY-4.0'],
    baseModel: sha256Hex('a base model'),
    modelProfile: 'tiny',
    sealedSet: set,
    usefulnessSets: [set, { digest: sha256Hex('the set of odd periods'), items: 1 }],
    shotSet: set,
    recipe: RECIPE_DIGEST,
    maxSubmissionBytes: 1_000_000,
    maxRecordsPerUnvettedAccount: 0,
  }
}
