import { documentClient } from '../../adapters/dynamo/document-client.ts'
import { measurementBook, settlementBook } from '../../adapters/dynamo/rewards-table.ts'
import { keccak256Hex, sha256Hex } from '../../domain/protocol/ids.ts'
import type { MeasurementBook, SettledPeriod, SettlementBook } from '../../domain/rewards/ports.ts'
import { settlePeriodOnce } from '../../domain/rewards/settle-period.ts'
import { EMULATOR_LIMIT_MS, startTestAws, TEST_LIMIT_MS, type TestAws } from '../support/emulator.ts'
import {
  ANN,
  aRewardsStage,
  BLOCK,
  DATANET,
  measurementStore,
  settlementStore,
} from '../support/rewards-stage.ts'

const settled = (period: number, changes: Partial<SettledPeriod> = {}): SettledPeriod => ({
  period,
  datanetId: DATANET,
  file: { key: `payouts/${period}.json`, sha256: sha256Hex(`${period}`) },
  root: keccak256Hex(`${period}`),
  revenueWei: 10n ** 30n + 7n,
  totalWei: 3n,
  readAt: { number: BLOCK.number, hash: BLOCK.hash },
  settledAt: 1,
  logIndex: null,
  proposal: null,
  ...changes,
})

/** What every book of settlements holds to. */
function contract(name: string, books: () => { settlements: SettlementBook; measurements: MeasurementBook }) {
  describe(name, () => {
    test(
      'periods are kept once, one after the other',
      async () => {
        const { settlements } = books()
        expect(await settlements.latest()).toBeNull()
        const first = settled(7)
        expect(await settlements.keep(first, null)).toBe('kept')
        expect(await settlements.keep(settled(7, { totalWei: 9n }), null)).toBe('settled')
        expect(await settlements.keep(settled(8), null)).toBe('changed')
        expect(await settlements.keep(settled(8), 7)).toBe('kept')
        expect(await settlements.get(7)).toEqual(first)
        expect(await settlements.get(9)).toBeNull()
        expect((await settlements.latest())?.period).toBe(8)
        expect((await settlements.list({})).items.map(one => one.period)).toEqual([8, 7])
      },
      TEST_LIMIT_MS,
    )

    test(
      'the first index and the first proposal stand',
      async () => {
        const { settlements } = books()
        const proposal = { transaction: keccak256Hex('a transaction'), logHead: keccak256Hex('a head') }
        await settlements.recordLogged(7, 4)
        await settlements.recordLogged(7, 5)
        await settlements.recordProposed(7, proposal)
        await settlements.recordProposed(7, { ...proposal, transaction: null })
        expect(await settlements.get(7)).toMatchObject({ logIndex: 4, proposal })
      },
      TEST_LIMIT_MS,
    )

    test(
      "an account's periods come back newest first, as they were kept, however often",
      async () => {
        const { settlements } = books()
        const stage = aRewardsStage()
        stage.funded.set(20_000, 1_000n)
        stage.funded.set(20_001, 1_000n)
        const kept = measurementStore()
        stage.deps.measurements.get = async () => kept.keep(sha256Hex('key'), { jobName: 'j', prefix: 'p/' })
        stage.measure('p/')
        for (const period of [20_000, 20_001])
          await settlePeriodOnce(stage.deps, { datanetId: DATANET, period, measured: null, now: 0 })
        const rows = [...stage.settlements.accounts.values()]
        await settlements.keepAccounts(rows)
        await settlements.keepAccounts(rows)
        const own = await settlements.account(ANN, 50)
        expect(own.map(row => row.period)).toEqual([20_001, 20_000])
        expect(own[0]).toEqual(rows.find(row => row.account === ANN && row.period === 20_001))
      },
      TEST_LIMIT_MS,
    )

    test(
      'the first measurement stands',
      async () => {
        const { measurements } = books()
        const key = sha256Hex('a key')
        expect(await measurements.get(key)).toBeNull()
        const first = { jobName: 'job-1', prefix: 'runs/1/' }
        expect(await measurements.keep(key, first)).toEqual(first)
        expect(await measurements.keep(key, { jobName: 'job-2', prefix: 'runs/2/' })).toEqual(first)
        expect(await measurements.get(key)).toEqual(first)
      },
      TEST_LIMIT_MS,
    )
  })
}

const inMemory = { settlements: settlementStore(), measurements: measurementStore() }
contract('in memory', () => inMemory)

describe('on DynamoDB', () => {
  let aws: TestAws
  beforeAll(async () => {
    aws = await startTestAws()
  }, EMULATOR_LIMIT_MS)
  afterAll(() => aws?.stop())
  contract('the rewards table', () => {
    const client = documentClient()
    return {
      settlements: settlementBook(client, 'test-rewards'),
      measurements: measurementBook(client, 'test-rewards'),
    }
  })
})
