import { randomUUID } from 'node:crypto'
import { TransactWriteCommand } from '@aws-sdk/lib-dynamodb'
import { documentClient } from '../../adapters/dynamo/document-client.ts'
import { activityBook, aliasBook, keyBook, usageBook } from '../../adapters/dynamo/serving-table.ts'
import { parseAddress } from '../../domain/protocol/hex.ts'
import type { Alias } from '../../domain/serving/alias.ts'
import type { ApiKey } from '../../domain/serving/api-key.ts'
import type { UsageRecord } from '../../domain/serving/usage.ts'
import { EMULATOR_LIMIT_MS, startTestAws, type TestAws } from '../support/emulator.ts'
import { DATANET, hashOf } from './serving-stage.ts'

let aws: TestAws
beforeAll(async () => {
  aws = await startTestAws()
}, EMULATOR_LIMIT_MS)
afterAll(() => aws?.stop())

const client = () => documentClient()
const keys = () => keyBook(client(), 'test-serving')
const usage = () => usageBook(client(), 'test-serving')

async function aKey(creditWei: bigint, changes: Partial<ApiKey> = {}): Promise<ApiKey> {
  const key: ApiKey = {
    keyHash: hashOf(randomUUID()),
    account: parseAddress('0x00000000000000000000000000000000000000a1'),
    depositTx: hashOf(randomUUID()),
    depositedWei: creditWei,
    creditWei,
    reservedWei: 0n,
    spentWei: 0n,
    createdAt: 1_000,
    usage: { requests: 0, promptTokens: 0, completionTokens: 0 },
    ...changes,
  }
  expect(await keys().add(key)).toBe('added')
  return key
}

const aUsage = (requestId: string, changes: Partial<UsageRecord> = {}): UsageRecord => ({
  requestId,
  keyId: 'key_1',
  account: parseAddress('0x00000000000000000000000000000000000000a1'),
  alias: 'ada',
  version: hashOf('v1'),
  datanetId: DATANET,
  promptTokens: 10,
  completionTokens: 5,
  chargedWei: 30n,
  at: 1,
  period: 100,
  estimated: false,
  ...changes,
})
const amounts = (key: ApiKey | null) => [key?.creditWei, key?.reservedWei, key?.spentWei]

describe('the credit of a key', () => {
  test('amounts above 2^53 are kept to the last unit', async () => {
    const key = await aKey(123_456_789_012_345_678_901_234_567_890n)
    expect(await keys().get(key.keyHash)).toEqual(key)
  })

  test('a deposit buys one key', async () => {
    const first = await aKey(10n)
    const second: ApiKey = { ...first, keyHash: hashOf(randomUUID()) }
    expect(await keys().add(second)).toBe('deposit-used')
    expect(await keys().get(second.keyHash)).toBeNull()
    expect(await keys().add({ ...first, depositTx: hashOf(randomUUID()) })).toBe('exists')
  })

  test('many requests at once never reserve more than there is', async () => {
    const key = await aKey(1_000n)
    const outcomes = await Promise.all(
      Array.from({ length: 30 }, () =>
        keys().reserve(key.keyHash, { requestId: randomUUID(), amountWei: 100n, expiresAt: 1 }),
      ),
    )
    expect(outcomes.filter(outcome => outcome === 'reserved')).toHaveLength(10)
    expect(outcomes.filter(outcome => outcome === 'short')).toHaveLength(20)
    expect(amounts(await keys().get(key.keyHash))).toEqual([0n, 1_000n, 0n])
  }, 60_000)

  test('a settled request is charged once, however often it is settled or given back', async () => {
    const key = await aKey(500n)
    const requestId = randomUUID()
    await keys().reserve(key.keyHash, { requestId, amountWei: 100n, expiresAt: 1 })
    const record = aUsage(requestId, { period: 7 })
    const outcomes = await Promise.all([1, 2, 3].map(() => keys().settle(key.keyHash, record)))
    expect(outcomes.sort()).toEqual(['gone', 'gone', 'settled'])
    await keys().release(key.keyHash, requestId)
    const after = await keys().get(key.keyHash)
    expect(amounts(after)).toEqual([470n, 0n, 30n])
    expect(after?.usage).toEqual({ requests: 1, promptTokens: 10, completionTokens: 5 })
    expect(await usage().usageOfPeriod(7)).toEqual([
      expect.objectContaining({ alias: 'ada', version: hashOf('v1'), requests: 1, chargedWei: 30n }),
    ])
  })

  test('a request that failed gives everything back, once', async () => {
    const key = await aKey(500n)
    const requestId = randomUUID()
    await keys().reserve(key.keyHash, { requestId, amountWei: 100n, expiresAt: 1 })
    await Promise.all([1, 2, 3].map(() => keys().release(key.keyHash, requestId)))
    expect(amounts(await keys().get(key.keyHash))).toEqual([500n, 0n, 0n])
    expect(await keys().settle(key.keyHash, aUsage(requestId))).toBe('gone')
  })

  test('what a crashed request held comes back when its time is up, and not before', async () => {
    const key = await aKey(500n)
    await keys().reserve(key.keyHash, { requestId: randomUUID(), amountWei: 100n, expiresAt: 5_000 })
    await keys().reserve(key.keyHash, { requestId: randomUUID(), amountWei: 50n, expiresAt: 9_000 })
    expect(await keys().releaseExpired(key.keyHash, 5_000)).toBe(0)
    const released = await Promise.all([1, 2, 3].map(() => keys().releaseExpired(key.keyHash, 5_001)))
    expect(released.reduce((sum, count) => sum + count)).toBe(1)
    expect(amounts(await keys().get(key.keyHash))).toEqual([450n, 50n, 0n])
  })

  test('nobody reserves on a key that is not there', async () => {
    const reservation = { requestId: randomUUID(), amountWei: 0n, expiresAt: 1 }
    expect(await keys().reserve(hashOf('nobody'), reservation)).toBe('unknown-key')
  })
})

describe('the usage of a period', () => {
  const settleOne = async (keyHash: ApiKey['keyHash'], changes: Partial<UsageRecord>) => {
    const requestId = randomUUID()
    expect(await keys().reserve(keyHash, { requestId, amountWei: 30n, expiresAt: 1 })).toBe('reserved')
    return keys().settle(keyHash, aUsage(requestId, changes))
  }

  test('sums every settled request by alias and version', async () => {
    const key = await aKey(10_000n)
    const settled = [
      ...Array.from({ length: 12 }, () => settleOne(key.keyHash, { period: 200, chargedWei: 2n })),
      ...Array.from({ length: 5 }, () =>
        settleOne(key.keyHash, { period: 200, alias: 'bob', chargedWei: 3n }),
      ),
      settleOne(key.keyHash, { period: 200, version: hashOf('v2'), chargedWei: 7n }),
      settleOne(key.keyHash, { period: 201, chargedWei: 9n }),
    ]
    expect(new Set(await Promise.all(settled))).toEqual(new Set(['settled']))
    const totals = await usage().usageOfPeriod(200)
    const facts = totals.map(({ alias, version, requests, chargedWei }) => [
      alias,
      version,
      requests,
      chargedWei,
    ])
    expect(new Set(facts.map(fact => fact.map(String).join(' ')))).toEqual(
      new Set([`ada ${hashOf('v1')} 12 24`, `ada ${hashOf('v2')} 1 7`, `bob ${hashOf('v1')} 5 15`]),
    )
    expect(await usage().usageOfPeriod(202)).toEqual([])
  }, 60_000)

  test('once closed nothing enters it, and the charge is not lost', async () => {
    const key = await aKey(1_000n)
    expect(await settleOne(key.keyHash, { period: 300 })).toBe('settled')
    await usage().closePeriod(300, 5)
    await usage().closePeriod(300, 6)
    const requestId = randomUUID()
    await keys().reserve(key.keyHash, { requestId, amountWei: 30n, expiresAt: 1 })
    expect(await keys().settle(key.keyHash, aUsage(requestId, { period: 300 }))).toBe('period-closed')
    expect(await keys().settle(key.keyHash, aUsage(requestId, { period: 301 }))).toBe('settled')
    expect((await usage().usageOfPeriod(300))[0]?.requests).toBe(1)
    expect((await usage().usageOfPeriod(301))[0]?.requests).toBe(1)
    expect(amounts(await keys().get(key.keyHash))).toEqual([940n, 0n, 60n])
  })
})

describe('aliases and activity', () => {
  const anAlias = (generation: number, changes: Partial<Alias> = {}): Alias => ({
    alias: 'iam',
    datanetId: DATANET,
    current: {
      version: hashOf(`v${generation}`),
      endpoint: 'e',
      component: `c${generation}`,
      modelProfile: 'tiny',
      movedAt: generation,
      warrantId: hashOf(`w${generation}`),
    },
    previous: null,
    systemPrompt: '',
    retired: null,
    generation,
    ...changes,
  })

  test('of two moves from the same place one wins', async () => {
    const book = aliasBook(client(), 'test-serving')
    expect(await book.get('iam')).toBeNull()
    expect(await book.move(null, anAlias(1))).toBe(true)
    expect(await book.move(null, anAlias(1))).toBe(false)
    const moved = await Promise.all(
      [anAlias(2), anAlias(2, { systemPrompt: 'other' })].map(to => book.move(anAlias(1), to)),
    )
    expect(moved.filter(Boolean)).toHaveLength(1)
    expect((await book.get('iam'))?.generation).toBe(2)
    expect((await book.list()).map(({ alias }) => alias)).toEqual(['iam'])
  })

  test('a component is told to wake once a minute, whoever asks', async () => {
    const book = activityBook(client(), 'test-serving')
    const claims = await Promise.all([1, 2, 3].map(() => book.claimWaking('c', 100_000)))
    expect(claims.filter(Boolean)).toHaveLength(1)
    expect(await book.claimWaking('c', 159_999)).toBe(false)
    expect(await book.claimWaking('c', 160_000)).toBe(true)
    expect(await book.lastUsed('c')).toBeNull()
    await book.touch('c', 200_000)
    await book.touch('c', 210_000)
    expect(await book.lastUsed('c')).toBe(200_000)
  })
})

test('the emulator refuses a transaction whose check fails, so that these tests can fail', async () => {
  const check = {
    TableName: 'test-serving',
    Key: { pk: 'nothing', sk: 'here' },
    ConditionExpression: 'attribute_exists(pk)',
  }
  await expect(
    client().send(new TransactWriteCommand({ TransactItems: [{ ConditionCheck: check }] })),
  ).rejects.toThrow(/ConditionalCheckFailed/)
})
