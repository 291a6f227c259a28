import {
  BatchWriteCommand,
  type DynamoDBDocumentClient,
  GetCommand,
  PutCommand,
  QueryCommand,
  TransactWriteCommand,
  UpdateCommand,
} from '@aws-sdk/lib-dynamodb'
import type { Round, RoundBook, StoredTask } from '../../domain/alignment/ports.ts'
import type { Bytes32, Sha256Hex } from '../../domain/protocol/hex.ts'
import { decodeCursor, encodeCursor, failedCondition, isConditionFailure } from './document-client.ts'

/**
 * The alignment table. Keys and access patterns:
 *
 *   pk           sk               what
 *   ROUND#<id>   round            the round and its counter; gsi1 `round` / opensAt lists them
 *   ROUND#<id>   task#<taskId>    one judging task; gsi1 `tasks#<id>#<validator>` / position lists a validator's
 */
const roundKey = (id: string) => ({ pk: `ROUND#${id}`, sk: 'round' })
const taskKey = (id: string, taskId: string) => ({ pk: `ROUND#${id}`, sk: `task#${taskId}` })
/** DynamoDB's limit of one BatchWriteItem. */
const BATCH = 25
/** A waiting judge's retry is cheap, a lost judgment is not. */
const MAX_CONFLICTS = 10

export function roundBook(client: DynamoDBDocumentClient, table: string): RoundBook {
  const get: RoundBook['get'] = async id => {
    const { Item } = await client.send(
      new GetCommand({ TableName: table, Key: roundKey(id), ConsistentRead: true }),
    )
    return Item === undefined ? null : withoutKeys<Round>(Item)
  }
  return {
    get,

    async open(round) {
      const at = `${String(round.opensAt).padStart(15, '0')}#${round.id}`
      try {
        await client.send(
          new PutCommand({
            TableName: table,
            Item: { ...roundKey(round.id), ...round, gsi1pk: 'round', gsi1sk: at },
            ConditionExpression: 'attribute_not_exists(pk)',
          }),
        )
        return round
      } catch (error) {
        if (!isConditionFailure(error)) throw error
      }
      const { Attributes } = await client.send(
        new UpdateCommand({
          TableName: table,
          Key: roundKey(round.id),
          UpdateExpression: 'SET taskToken = :token',
          ExpressionAttributeValues: { ':token': round.taskToken },
          ReturnValues: 'ALL_NEW',
        }),
      )
      return withoutKeys<Round>(Attributes ?? {})
    },

    async list({ cursor, limit }) {
      const { Items = [], LastEvaluatedKey } = await client.send(
        new QueryCommand({
          TableName: table,
          IndexName: 'byKind',
          KeyConditionExpression: 'gsi1pk = :kind',
          ExpressionAttributeValues: { ':kind': 'round' },
          ScanIndexForward: false,
          Limit: limit ?? 50,
          ...decodeCursor(cursor),
        }),
      )
      return { items: Items.map(item => withoutKeys<Round>(item)), cursor: encodeCursor(LastEvaluatedKey) }
    },

    async addTasks(roundId, tasks) {
      // A task that has its judgment already is never written over: a repeated opening finds it and leaves it.
      const known = new Set((await allTasks(client, table, roundId)).map(task => task.taskId))
      const missing = tasks.filter(task => !known.has(task.taskId))
      for (let start = 0; start < missing.length; start += BATCH) {
        let requests = missing.slice(start, start + BATCH).map(task => ({
          PutRequest: {
            Item: {
              ...taskKey(roundId, task.taskId),
              ...task,
              gsi1pk: `tasks#${roundId}#${task.validator}`,
              gsi1sk: String(task.position).padStart(6, '0'),
            },
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

    async task(roundId, taskId) {
      const { Item } = await client.send(
        new GetCommand({ TableName: table, Key: taskKey(roundId, taskId), ConsistentRead: true }),
      )
      return Item === undefined ? null : withoutKeys<StoredTask>(Item)
    },

    tasks: (roundId, validator) =>
      validator === undefined
        ? allTasks(client, table, roundId)
        : queryTasks(client, {
            TableName: table,
            IndexName: 'byKind',
            KeyConditionExpression: 'gsi1pk = :own',
            ExpressionAttributeValues: { ':own': `tasks#${roundId}#${validator}` },
          }),

    async judge(roundId, task, judgment) {
      for (let conflicts = 0; ; conflicts++) {
        try {
          await client.send(judgeTransaction(table, roundId, task.taskId, judgment))
          return 'judged'
        } catch (error) {
          const failed = failedCondition(error)
          if (failed === 0) return 'judged-before'
          if (failed === 1) return 'round-closed'
          if (failed !== 'conflict' || conflicts >= MAX_CONFLICTS) throw error
        }
      }
    },

    async close(roundId, scores) {
      try {
        await client.send(
          new UpdateCommand({
            TableName: table,
            Key: roundKey(roundId),
            UpdateExpression: 'SET #state = :closed, scores = :scores',
            ConditionExpression: '#state = :open',
            ExpressionAttributeNames: { '#state': 'state' },
            ExpressionAttributeValues: { ':closed': 'closed', ':open': 'open', ':scores': scores },
          }),
        )
      } catch (error) {
        if (!isConditionFailure(error)) throw error
      }
    },
  }
}

function judgeTransaction(
  table: string,
  roundId: Bytes32,
  taskId: Sha256Hex,
  judgment: NonNullable<StoredTask['judgment']>,
) {
  return new TransactWriteCommand({
    TransactItems: [
      {
        Update: {
          TableName: table,
          Key: taskKey(roundId, taskId),
          UpdateExpression: 'SET judgment = :judgment',
          ConditionExpression: 'judgment = :none',
          ExpressionAttributeValues: { ':judgment': judgment, ':none': null },
        },
      },
      {
        Update: {
          TableName: table,
          Key: roundKey(roundId),
          UpdateExpression: 'ADD judged :one',
          ConditionExpression: '#state = :open AND closesAt >= :at',
          ExpressionAttributeNames: { '#state': 'state' },
          ExpressionAttributeValues: { ':one': 1, ':open': 'open', ':at': judgment.receivedAt },
        },
      },
    ],
  })
}

function allTasks(client: DynamoDBDocumentClient, table: string, roundId: string): Promise<StoredTask[]> {
  return queryTasks(client, {
    TableName: table,
    KeyConditionExpression: 'pk = :pk AND begins_with(sk, :task)',
    ExpressionAttributeValues: { ':pk': `ROUND#${roundId}`, ':task': 'task#' },
    ConsistentRead: true,
  })
}

async function queryTasks(
  client: DynamoDBDocumentClient,
  query: ConstructorParameters<typeof QueryCommand>[0],
): Promise<StoredTask[]> {
  const tasks: StoredTask[] = []
  let start: Record<string, unknown> | undefined
  do {
    const page = await client.send(
      new QueryCommand({ ...query, ...(start === undefined ? {} : { ExclusiveStartKey: start }) }),
    )
    tasks.push(...(page.Items ?? []).map(item => withoutKeys<StoredTask>(item)))
    start = page.LastEvaluatedKey
  } while (start !== undefined)
  return tasks
}

function withoutKeys<T>(item: Record<string, unknown>): T {
  const { pk: _pk, sk: _sk, gsi1pk: _gsi1pk, gsi1sk: _gsi1sk, ...rest } = item
  return rest as T
}
