import {
  BatchWriteCommand,
  type DynamoDBDocumentClient,
  GetCommand,
  PutCommand,
  QueryCommand,
  TransactWriteCommand,
  UpdateCommand,
} from '@aws-sdk/lib-dynamodb'
import type {
  AccountPeriod,
  Measurement,
  MeasurementBook,
  SettledPeriod,
  SettlementBook,
} from '../../domain/rewards/ports.ts'
import {
  bigintOf,
  decodeCursor,
  encodeCursor,
  failedCondition,
  isConditionFailure,
} from './document-client.ts'

/**
 * The rewards table. Keys and access patterns:
 *
 *   pk                  sk             what
 *   PAYOUTS             latest         number of the last settled period: periods are settled one after the other
 *   PERIOD#<period>     settlement     a settled period; gsi1 `settlement` / period lists them
 *   ACCOUNT#<address>   period#<nn>    what the account got in a period, and its proof
 *   MEASUREMENT#<key>   measurement    where a measured usefulness lies
 */
const PERIOD_DIGITS = 12
/** DynamoDB's limit of one BatchWriteItem. */
const BATCH = 25

const LATEST = { pk: 'PAYOUTS', sk: 'latest' }
const digits = (period: number) => String(period).padStart(PERIOD_DIGITS, '0')
const settlementKey = (period: number) => ({ pk: `PERIOD#${period}`, sk: 'settlement' })

export function settlementBook(client: DynamoDBDocumentClient, table: string): SettlementBook {
  const get: SettlementBook['get'] = async period => {
    const { Item } = await client.send(
      new GetCommand({ TableName: table, Key: settlementKey(period), ConsistentRead: true }),
    )
    return Item === undefined ? null : toSettled(Item)
  }
  const update = async (period: number, field: 'logIndex' | 'proposal', value: unknown) => {
    try {
      await client.send(
        new UpdateCommand({
          TableName: table,
          Key: settlementKey(period),
          UpdateExpression: 'SET #field = :value',
          ConditionExpression: '#field = :none',
          ExpressionAttributeNames: { '#field': field },
          ExpressionAttributeValues: { ':value': value, ':none': null },
        }),
      )
    } catch (error) {
      if (!isConditionFailure(error)) throw error
    }
  }
  return {
    get,

    async latest() {
      const { Item } = await client.send(
        new GetCommand({ TableName: table, Key: LATEST, ConsistentRead: true }),
      )
      return Item === undefined ? null : get(Number(Item.period))
    },

    async keep(settled, after) {
      const { period } = settled
      try {
        await client.send(
          new TransactWriteCommand({
            TransactItems: [
              {
                Put: {
                  TableName: table,
                  Item: {
                    ...settlementKey(period),
                    ...settled,
                    gsi1pk: 'settlement',
                    gsi1sk: digits(period),
                  },
                  ConditionExpression: 'attribute_not_exists(pk)',
                },
              },
              {
                Put: {
                  TableName: table,
                  Item: { ...LATEST, period },
                  ...(after === null
                    ? { ConditionExpression: 'attribute_not_exists(pk)' }
                    : {
                        ConditionExpression: '#period = :after',
                        ExpressionAttributeNames: { '#period': 'period' },
                        ExpressionAttributeValues: { ':after': after },
                      }),
                },
              },
            ],
          }),
        )
        return 'kept'
      } catch (error) {
        const failed = failedCondition(error)
        if (failed === null) throw error
        return failed === 0 ? 'settled' : 'changed'
      }
    },

    recordLogged: (period, logIndex) => update(period, 'logIndex', logIndex),
    recordProposed: (period, proposal) => update(period, 'proposal', proposal),

    async list({ cursor, limit }) {
      const { Items = [], LastEvaluatedKey } = await client.send(
        new QueryCommand({
          TableName: table,
          IndexName: 'byKind',
          KeyConditionExpression: 'gsi1pk = :kind',
          ExpressionAttributeValues: { ':kind': 'settlement' },
          ScanIndexForward: false,
          Limit: limit ?? 10,
          ...decodeCursor(cursor),
        }),
      )
      return { items: Items.map(toSettled), cursor: encodeCursor(LastEvaluatedKey) }
    },

    async keepAccounts(rows) {
      for (let start = 0; start < rows.length; start += BATCH) {
        let requests = rows.slice(start, start + BATCH).map(row => ({
          PutRequest: {
            Item: { pk: `ACCOUNT#${row.account}`, sk: `period#${digits(row.period)}`, ...row },
          },
        }))
        while (requests.length > 0) {
          const { UnprocessedItems } = await client.send(
            new BatchWriteCommand({ RequestItems: { [table]: requests } }),
          )
          requests = (UnprocessedItems?.[table] ?? []) as typeof requests
        }
      }
    },

    async account(account, limit) {
      const { Items = [] } = await client.send(
        new QueryCommand({
          TableName: table,
          KeyConditionExpression: 'pk = :pk AND begins_with(sk, :period)',
          ExpressionAttributeValues: { ':pk': `ACCOUNT#${account}`, ':period': 'period#' },
          ScanIndexForward: false,
          Limit: limit,
          ConsistentRead: true,
        }),
      )
      return Items.map(({ pk: _pk, sk: _sk, ...row }) => row as AccountPeriod)
    },
  }
}

export function measurementBook(client: DynamoDBDocumentClient, table: string): MeasurementBook {
  const keyOf = (key: string) => ({ pk: `MEASUREMENT#${key}`, sk: 'measurement' })
  const get: MeasurementBook['get'] = async key => {
    const { Item } = await client.send(
      new GetCommand({ TableName: table, Key: keyOf(key), ConsistentRead: true }),
    )
    if (Item === undefined) return null
    const { jobName, prefix } = Item as Measurement
    return { jobName, prefix }
  }
  return {
    get,
    async keep(key, measurement) {
      try {
        await client.send(
          new PutCommand({
            TableName: table,
            Item: { ...keyOf(key), ...measurement },
            ConditionExpression: 'attribute_not_exists(pk)',
          }),
        )
        return measurement
      } catch (error) {
        if (!isConditionFailure(error)) throw error
      }
      return (await get(key)) ?? measurement
    },
  }
}

function toSettled(item: Record<string, unknown>): SettledPeriod {
  const { pk: _pk, sk: _sk, gsi1pk: _gsi1pk, gsi1sk: _gsi1sk, ...rest } = item
  const settled = rest as unknown as SettledPeriod
  return { ...settled, revenueWei: bigintOf(settled.revenueWei), totalWei: bigintOf(settled.totalWei) }
}
