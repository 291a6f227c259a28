import {
  type DynamoDBDocumentClient,
  GetCommand,
  PutCommand,
  QueryCommand,
  UpdateCommand,
} from '@aws-sdk/lib-dynamodb'
import type { BaselineBook, Run, RunBook, Version, VersionBook } from '../../domain/training/ports.ts'
import { decodeCursor, encodeCursor, isConditionFailure } from './document-client.ts'

/**
 * The training table. Keys and access patterns:
 *
 *   pk              sk         what
 *   RUN#<id>        run        one attempt of a pipeline; gsi1 `run` / startedAt lists them
 *   VERSION#<id>    version    a model version; gsi1 `version#<datanetId>` / createdAt
 *   BASELINE#<key>  baseline   where the once-measured baselines lie
 */
const runKey = (id: string) => ({ pk: `RUN#${id}`, sk: 'run' })
const versionKey = (id: string) => ({ pk: `VERSION#${id}`, sk: 'version' })
const timeKey = (instantMs: number, id: string) => `${String(instantMs).padStart(15, '0')}#${id}`

export function runBook(client: DynamoDBDocumentClient, table: string): RunBook {
  const get: RunBook['get'] = async id => {
    const { Item } = await client.send(
      new GetCommand({ TableName: table, Key: runKey(id), ConsistentRead: true }),
    )
    return Item === undefined ? null : withoutKeys<Run>(Item)
  }
  return {
    get,
    async begin(run) {
      await putOnce(client, table, {
        ...runKey(run.id),
        ...run,
        gsi1pk: 'run',
        gsi1sk: timeKey(run.startedAt, run.id),
      })
      return (await get(run.id)) ?? run
    },
    async list({ cursor, limit }) {
      const { Items = [], LastEvaluatedKey } = await client.send(
        new QueryCommand({
          TableName: table,
          IndexName: 'byKind',
          KeyConditionExpression: 'gsi1pk = :kind',
          ExpressionAttributeValues: { ':kind': 'run' },
          ScanIndexForward: false,
          Limit: limit ?? 50,
          ...decodeCursor(cursor),
        }),
      )
      return { items: Items.map(item => withoutKeys<Run>(item)), cursor: encodeCursor(LastEvaluatedKey) }
    },
    async planned(id, checkpointPrefix) {
      await client.send(
        new UpdateCommand({
          TableName: table,
          Key: runKey(id),
          UpdateExpression: 'SET checkpointPrefix = :prefix',
          ConditionExpression: 'attribute_exists(pk)',
          ExpressionAttributeValues: { ':prefix': checkpointPrefix },
        }),
      )
    },
    async end(id, execution, { state, endedAt, failure, output }) {
      try {
        await client.send(
          new UpdateCommand({
            TableName: table,
            Key: runKey(id),
            UpdateExpression:
              'SET #state = :state, endedAt = :endedAt, failure = :failure, #output = :output',
            ConditionExpression: '#state = :running AND execution = :execution',
            ExpressionAttributeNames: { '#state': 'state', '#output': 'output' },
            ExpressionAttributeValues: {
              ':state': state,
              ':endedAt': endedAt,
              ':failure': failure,
              ':output': output,
              ':running': 'running',
              ':execution': execution,
            },
          }),
        )
      } catch (error) {
        if (!isConditionFailure(error)) throw error
      }
    },
  }
}

export function versionBook(client: DynamoDBDocumentClient, table: string): VersionBook {
  const get: VersionBook['get'] = async id => {
    const { Item } = await client.send(
      new GetCommand({ TableName: table, Key: versionKey(id), ConsistentRead: true }),
    )
    return Item === undefined ? null : withoutKeys<Version>(Item)
  }
  return {
    get,
    async keep(version) {
      await putOnce(client, table, {
        ...versionKey(version.id),
        ...version,
        gsi1pk: `version#${version.lineage.datanetId}`,
        gsi1sk: timeKey(version.createdAt, version.id),
      })
      return (await get(version.id)) ?? version
    },
  }
}

export function baselineBook(client: DynamoDBDocumentClient, table: string): BaselineBook {
  const key = (name: string) => ({ pk: `BASELINE#${name}`, sk: 'baseline' })
  return {
    async get(name) {
      const { Item } = await client.send(
        new GetCommand({ TableName: table, Key: key(name), ConsistentRead: true }),
      )
      return Item === undefined ? null : { prefix: String(Item.prefix), jobName: String(Item.jobName) }
    },
    keep: (name, baseline) => putOnce(client, table, { ...key(name), ...baseline }),
  }
}

async function putOnce(
  client: DynamoDBDocumentClient,
  table: string,
  item: Record<string, unknown>,
): Promise<void> {
  try {
    await client.send(
      new PutCommand({ TableName: table, Item: item, ConditionExpression: 'attribute_not_exists(pk)' }),
    )
  } catch (error) {
    if (!isConditionFailure(error)) throw error
  }
}

function withoutKeys<T>(item: Record<string, unknown>): T {
  const { pk: _pk, sk: _sk, gsi1pk: _gsi1pk, gsi1sk: _gsi1sk, ...rest } = item
  return rest as T
}
