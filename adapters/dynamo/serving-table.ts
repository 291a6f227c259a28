import { createHash, randomInt } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import {
  type DynamoDBDocumentClient,
  GetCommand,
  QueryCommand,
  TransactWriteCommand,
  type TransactWriteCommandInput,
  UpdateCommand,
} from '@aws-sdk/lib-dynamodb'
import { OpenLedgerError } from '../../domain/errors.ts'
import type { Alias } from '../../domain/serving/alias.ts'
import type { ApiKey } from '../../domain/serving/api-key.ts'
import type { ActivityBook, AliasBook, KeyBook, UsageBook } from '../../domain/serving/ports.ts'
import type { UsageRecord, UsageTotal } from '../../domain/serving/usage.ts'
import { bigintOf, failedCondition, isConditionFailure } from './document-client.ts'

/**
 * The serving table. Keys and access patterns:
 *
 *   pk                     sk                          what
 *   KEY#<key hash>         key                         an API key with its credit and counters
 *   KEY#<key hash>         reservation#<request>       credit held by a request under way
 *   DEPOSIT#<transaction>  deposit                     which key a deposit has bought
 *   PERIOD#<period>#<nn>   gate                        of one shard of a period; closed once
 *   PERIOD#<period>#<nn>   total#<alias>#<version>     sums of the shard's records
 *   PERIOD#<period>#<nn>   usage#<request>             one settled request
 *   ALIAS#<alias>          alias                       where an alias points; gsi1 `alias` / alias lists them
 *   ALIAS#<alias>          move#<generation>           every move of it
 *   COMPONENT#<name>       activity                    when it was used and woken, to the minute
 */

/** Each shard takes about 500 settled requests a second, because a transaction writes an item twice. */
const SHARDS = 16
/** Requests of one key meet on its item; each try waits a little longer. */
const MAX_TRIES = 12
const FIRST_WAIT_MS = 10
const MAX_WAIT_MS = 500
/** How exact `lastUsed` is, and how often a component is told to wake. */
const ACTIVITY_STEP_MS = 60_000
const PERIOD_DIGITS = 10

type Item = Record<string, unknown>
type Writes = NonNullable<TransactWriteCommandInput['TransactItems']>

const keyOf = (keyHash: string) => ({ pk: `KEY#${keyHash}`, sk: 'key' })
const reservationOf = (keyHash: string, requestId: string) => ({
  pk: `KEY#${keyHash}`,
  sk: `reservation#${requestId}`,
})
const shardOf = (requestId: string) =>
  createHash('sha256').update(requestId).digest().readUInt16BE(0) % SHARDS
const shardKey = (period: number, shard: number) =>
  `PERIOD#${String(period).padStart(PERIOD_DIGITS, '0')}#${String(shard).padStart(2, '0')}`

export function keyBook(client: DynamoDBDocumentClient, table: string): KeyBook {
  const get: KeyBook['get'] = async keyHash => {
    const { Item } = await client.send(
      new GetCommand({ TableName: table, Key: keyOf(keyHash), ConsistentRead: true }),
    )
    return Item === undefined ? null : toKey(Item)
  }
  const giveBack = async (keyHash: string, requestId: string, amountWei: bigint): Promise<boolean> => {
    const failed = await transact(client, [
      {
        Delete: {
          TableName: table,
          Key: reservationOf(keyHash, requestId),
          ConditionExpression: 'attribute_exists(pk)',
        },
      },
      {
        Update: {
          TableName: table,
          Key: keyOf(keyHash),
          UpdateExpression: 'SET creditWei = creditWei + :amount, reservedWei = reservedWei - :amount',
          ConditionExpression: 'attribute_exists(pk)',
          ExpressionAttributeValues: { ':amount': amountWei },
        },
      },
    ])
    return failed === null
  }
  return {
    get,

    async add(key) {
      const { keyHash, usage, ...fields } = key
      const failed = await transact(client, [
        {
          Put: {
            TableName: table,
            Item: { ...keyOf(keyHash), keyHash, ...fields, ...usage },
            ConditionExpression: 'attribute_not_exists(pk)',
          },
        },
        {
          Put: {
            TableName: table,
            Item: { pk: `DEPOSIT#${key.depositTx}`, sk: 'deposit', keyHash },
            ConditionExpression: 'attribute_not_exists(pk)',
          },
        },
      ])
      return failed === null ? 'added' : failed === 0 ? 'exists' : 'deposit-used'
    },

    async reserve(keyHash, { requestId, amountWei, expiresAt }) {
      const failed = await transact(client, [
        {
          Update: {
            TableName: table,
            Key: keyOf(keyHash),
            UpdateExpression: 'SET creditWei = creditWei - :amount, reservedWei = reservedWei + :amount',
            ConditionExpression: 'creditWei >= :amount',
            ExpressionAttributeValues: { ':amount': amountWei },
          },
        },
        {
          Put: {
            TableName: table,
            Item: { ...reservationOf(keyHash, requestId), requestId, amountWei, heldUntil: expiresAt },
            ConditionExpression: 'attribute_not_exists(pk)',
          },
        },
      ])
      if (failed === null) return 'reserved'
      if (failed === 1)
        throw new OpenLedgerError('conflict', 'This request id has a reservation', { seen: requestId })
      return (await get(keyHash)) === null ? 'unknown-key' : 'short'
    },

    async release(keyHash, requestId) {
      const { Item } = await client.send(
        new GetCommand({ TableName: table, Key: reservationOf(keyHash, requestId), ConsistentRead: true }),
      )
      if (Item !== undefined) await giveBack(keyHash, requestId, bigintOf(Item.amountWei))
    },

    async releaseExpired(keyHash, now) {
      const reservations = await queryAll(client, table, `KEY#${keyHash}`, 'reservation#')
      const expired = reservations.filter(({ heldUntil }) => Number(heldUntil) < now)
      const given = await Promise.all(
        expired.map(({ requestId, amountWei }) => giveBack(keyHash, String(requestId), bigintOf(amountWei))),
      )
      return given.filter(done => done).length
    },

    async settle(keyHash, usage) {
      const { Item } = await client.send(
        new GetCommand({
          TableName: table,
          Key: reservationOf(keyHash, usage.requestId),
          ConsistentRead: true,
        }),
      )
      if (Item === undefined) return 'gone'
      const failed = await transact(client, settlement(table, keyHash, bigintOf(Item.amountWei), usage))
      if (failed === null) return 'settled'
      return failed === 0 ? 'period-closed' : 'gone'
    },
  }
}

/** Charge, record and total, all or nothing; the period's gate first, then the reservation, which is there once. */
function settlement(table: string, keyHash: string, reservedWei: bigint, usage: UsageRecord): Writes {
  const pk = shardKey(usage.period, shardOf(usage.requestId))
  const { promptTokens, completionTokens, chargedWei } = usage
  return [
    {
      ConditionCheck: {
        TableName: table,
        Key: { pk, sk: 'gate' },
        ConditionExpression: 'attribute_not_exists(closedAt)',
      },
    },
    {
      Delete: {
        TableName: table,
        Key: reservationOf(keyHash, usage.requestId),
        ConditionExpression: 'amountWei = :reserved',
        ExpressionAttributeValues: { ':reserved': reservedWei },
      },
    },
    {
      Update: {
        TableName: table,
        Key: keyOf(keyHash),
        UpdateExpression:
          'SET creditWei = creditWei + :back, reservedWei = reservedWei - :reserved, spentWei = spentWei + :charged ' +
          'ADD requests :one, promptTokens :prompt, completionTokens :completion',
        ConditionExpression: 'attribute_exists(pk)',
        ExpressionAttributeValues: {
          ':back': reservedWei - chargedWei,
          ':reserved': reservedWei,
          ':charged': chargedWei,
          ':one': 1,
          ':prompt': promptTokens,
          ':completion': completionTokens,
        },
      },
    },
    {
      Put: {
        TableName: table,
        Item: { pk, sk: `usage#${usage.requestId}`, ...usage },
        ConditionExpression: 'attribute_not_exists(pk)',
      },
    },
    {
      Update: {
        TableName: table,
        Key: { pk, sk: `total#${usage.alias}#${usage.version}` },
        UpdateExpression:
          'SET #alias = :alias, version = :version, datanetId = :datanet ' +
          'ADD requests :one, promptTokens :prompt, completionTokens :completion, chargedWei :charged',
        ExpressionAttributeNames: { '#alias': 'alias' },
        ExpressionAttributeValues: {
          ':alias': usage.alias,
          ':version': usage.version,
          ':datanet': usage.datanetId,
          ':one': 1,
          ':prompt': promptTokens,
          ':completion': completionTokens,
          ':charged': chargedWei,
        },
      },
    },
  ]
}

export function usageBook(client: DynamoDBDocumentClient, table: string): UsageBook {
  const shards = Array.from({ length: SHARDS }, (_, shard) => shard)
  return {
    async closePeriod(period, now) {
      await Promise.all(
        shards.map(shard =>
          client
            .send(
              new UpdateCommand({
                TableName: table,
                Key: { pk: shardKey(period, shard), sk: 'gate' },
                UpdateExpression: 'SET closedAt = :now',
                ConditionExpression: 'attribute_not_exists(closedAt)',
                ExpressionAttributeValues: { ':now': now },
              }),
            )
            .catch(ignoreConditionFailure),
        ),
      )
    },

    async usageOfPeriod(period) {
      const items = await Promise.all(
        shards.map(shard => queryAll(client, table, shardKey(period, shard), 'total#')),
      )
      const sums = new Map<string, UsageTotal>()
      for (const item of items.flat()) {
        const total = toTotal(item)
        const name = `${total.alias}#${total.version}`
        const sum = sums.get(name)
        sums.set(name, sum === undefined ? total : added(sum, total))
      }
      return [...sums].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, total]) => total)
    },
  }
}

export function aliasBook(client: DynamoDBDocumentClient, table: string): AliasBook {
  return {
    async get(alias) {
      const { Item } = await client.send(
        new GetCommand({
          TableName: table,
          Key: { pk: `ALIAS#${alias}`, sk: 'alias' },
          ConsistentRead: true,
        }),
      )
      return Item === undefined ? null : toAlias(Item)
    },

    async list() {
      const { Items = [] } = await client.send(
        new QueryCommand({
          TableName: table,
          IndexName: 'byKind',
          KeyConditionExpression: 'gsi1pk = :kind',
          ExpressionAttributeValues: { ':kind': 'alias' },
        }),
      )
      return Items.map(toAlias)
    },

    async move(before, after) {
      const pk = `ALIAS#${after.alias}`
      const failed = await transact(client, [
        {
          Put: {
            TableName: table,
            Item: { pk, sk: 'alias', ...after, gsi1pk: 'alias', gsi1sk: after.alias },
            ...(before === null
              ? { ConditionExpression: 'attribute_not_exists(pk)' }
              : {
                  ConditionExpression: 'generation = :read',
                  ExpressionAttributeValues: { ':read': before.generation },
                }),
          },
        },
        {
          Put: {
            TableName: table,
            Item: { ...after, pk, sk: `move#${String(after.generation).padStart(PERIOD_DIGITS, '0')}` },
            ConditionExpression: 'attribute_not_exists(pk)',
          },
        },
      ])
      return failed === null
    },
  }
}

export function activityBook(client: DynamoDBDocumentClient, table: string): ActivityBook {
  const touched = new Map<string, number>()
  const keyOfComponent = (component: string) => ({ pk: `COMPONENT#${component}`, sk: 'activity' })
  const step = async (component: string, field: 'lastUsedAt' | 'wokenAt', now: number): Promise<boolean> => {
    try {
      await client.send(
        new UpdateCommand({
          TableName: table,
          Key: keyOfComponent(component),
          UpdateExpression: 'SET #field = :now',
          ConditionExpression: 'attribute_not_exists(#field) OR #field <= :before',
          ExpressionAttributeNames: { '#field': field },
          ExpressionAttributeValues: { ':now': now, ':before': now - ACTIVITY_STEP_MS },
        }),
      )
      return true
    } catch (error) {
      if (isConditionFailure(error)) return false
      throw error
    }
  }
  return {
    async lastUsed(component) {
      const { Item } = await client.send(
        new GetCommand({ TableName: table, Key: keyOfComponent(component), ConsistentRead: true }),
      )
      return (Item?.lastUsedAt as number | undefined) ?? null
    },
    async touch(component, now) {
      if (now - (touched.get(component) ?? 0) < ACTIVITY_STEP_MS) return
      await step(component, 'lastUsedAt', now)
      touched.set(component, now)
    },
    claimWaking: (component, now) => step(component, 'wokenAt', now),
  }
}

/**
 * The position of the write whose condition failed; null when all was written. Transactions that meet are tried
 * again.
 * @throws OpenLedgerError rate-limited when they meet too often
 */
async function transact(client: DynamoDBDocumentClient, writes: Writes): Promise<number | null> {
  for (let attempt = 0; attempt < MAX_TRIES; attempt++) {
    try {
      await client.send(new TransactWriteCommand({ TransactItems: writes }))
      return null
    } catch (error) {
      const failed = failedCondition(error)
      if (failed === null) throw error
      if (failed !== 'conflict') return failed
      await sleep(randomInt(1, Math.min(MAX_WAIT_MS, FIRST_WAIT_MS * 2 ** attempt) + 1))
    }
  }
  throw new OpenLedgerError('rate-limited', 'Too many requests of this key at the same moment')
}

async function queryAll(
  client: DynamoDBDocumentClient,
  table: string,
  pk: string,
  prefix: string,
): Promise<Item[]> {
  const items: Item[] = []
  let start: Item | undefined
  do {
    const page = await client.send(
      new QueryCommand({
        TableName: table,
        KeyConditionExpression: 'pk = :pk AND begins_with(sk, :prefix)',
        ExpressionAttributeValues: { ':pk': pk, ':prefix': prefix },
        ConsistentRead: true,
        ...(start === undefined ? {} : { ExclusiveStartKey: start }),
      }),
    )
    items.push(...(page.Items ?? []))
    start = page.LastEvaluatedKey
  } while (start !== undefined)
  return items
}

function toKey(item: Item): ApiKey {
  const { keyHash, account, depositTx, createdAt } = item as unknown as ApiKey
  return {
    keyHash,
    account,
    depositTx,
    depositedWei: bigintOf(item.depositedWei),
    creditWei: bigintOf(item.creditWei),
    reservedWei: bigintOf(item.reservedWei),
    spentWei: bigintOf(item.spentWei),
    createdAt,
    usage: {
      requests: Number(item.requests),
      promptTokens: Number(item.promptTokens),
      completionTokens: Number(item.completionTokens),
    },
  }
}

function toTotal(item: Item): UsageTotal {
  const { alias, version, datanetId } = item as unknown as UsageTotal
  return {
    alias,
    version,
    datanetId,
    requests: Number(item.requests),
    promptTokens: Number(item.promptTokens),
    completionTokens: Number(item.completionTokens),
    chargedWei: bigintOf(item.chargedWei),
  }
}

function added(a: UsageTotal, b: UsageTotal): UsageTotal {
  return {
    ...a,
    requests: a.requests + b.requests,
    promptTokens: a.promptTokens + b.promptTokens,
    completionTokens: a.completionTokens + b.completionTokens,
    chargedWei: a.chargedWei + b.chargedWei,
  }
}

function toAlias(item: Item): Alias {
  const { alias, datanetId, current, previous, systemPrompt, retired, generation } = item as unknown as Alias
  return { alias, datanetId, current, previous, systemPrompt, retired, generation }
}

function ignoreConditionFailure(error: unknown) {
  if (!isConditionFailure(error)) throw error
}
