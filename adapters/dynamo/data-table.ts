import {
  type DynamoDBDocumentClient,
  GetCommand,
  PutCommand,
  QueryCommand,
  TransactWriteCommand,
  UpdateCommand,
} from '@aws-sdk/lib-dynamodb'
import type {
  AccountBook,
  Datanet,
  DatanetBook,
  DatanetCounts,
  DatasetBook,
  FrozenDatasetRecord,
  SubmissionBook,
  Vouch,
} from '../../domain/data/ports.ts'
import {
  type IntakeProgress,
  NO_PROGRESS,
  type Refusal,
  type Submission,
  type SubmissionOutcome,
} from '../../domain/data/submission.ts'
import { VALIDATOR_LEVEL, vouchedLevel } from '../../domain/data/vouch-account.ts'
import { OpenLedgerError } from '../../domain/errors.ts'
import type { Address, Bytes32 } from '../../domain/protocol/hex.ts'
import { batchGet } from './batch-get.ts'
import { decodeCursor, encodeCursor, failedCondition, isConditionFailure } from './document-client.ts'
import { pause } from './pause.ts'

/**
 * The data table. Keys and access patterns (copies are looked for and kept by `copy-index.ts`):
 *
 *   pk                     sk                        what
 *   N#<datanet>            datanet                   terms and opening; gsi1 `datanet` / openedAt lists them
 *   N#<datanet>            counts                    submissions (the next sequence), outcomes, records by reason
 *   N#<datanet>            submission#<sequence>     id of the submission registered with this sequence
 *   N#<datanet>            account#<address>         records that intake accepted of the account
 *   N#<datanet>            frozen#<log size>         id of the dataset frozen at this size
 *   S#<submission>         submission                manifest, instants, outcome; gsi1 `N#<datanet>` / sequence
 *   S#<submission>         progress                  first line that is not decided, and counts so far
 *   S#<submission>         refusals#<line>           reasons of the refused lines of one batch
 *   R#<datanet>#<sequence> record#<index>            an accepted record as copies are compared with it
 *   D#<datanet>#<digest>   digest                    first record with this exact or normalized digest
 *   B#<datanet>#<band>     band                      records that share this MinHash band
 *   A#<datanet>#<answer>   uses                      how many accepted records give this answer
 *   ACCOUNT#<address>      vouch#<governor>#<nonce>  a governor's signed word; gsi1 `vouch` / account lists them
 *   F#<dataset>            dataset                   a frozen dataset's manifest
 */

type Item = Record<string, unknown>

const INSTANT_DIGITS = 15
const NUMBER_DIGITS = 12
const NONCE_DIGITS = 16
export const digits = (value: number, width = NUMBER_DIGITS) => String(value).padStart(width, '0')

const datanetKey = (id: string) => ({ pk: `N#${id}`, sk: 'datanet' })
const countsKey = (datanetId: string) => ({ pk: `N#${datanetId}`, sk: 'counts' })
const sequenceKey = (datanetId: string, sequence: number) => ({
  pk: `N#${datanetId}`,
  sk: `submission#${digits(sequence)}`,
})
const frozenKey = (datanetId: string, logSize: number) => ({
  pk: `N#${datanetId}`,
  sk: `frozen#${digits(logSize)}`,
})
const submissionKey = (id: string) => ({ pk: `S#${id}`, sk: 'submission' })
const vouchKey = ({ account, governor, nonce }: Vouch) => ({
  pk: `ACCOUNT#${account}`,
  sk: `vouch#${governor}#${digits(nonce, NONCE_DIGITS)}`,
})
const datasetKey = (id: string) => ({ pk: `F#${id}`, sk: 'dataset' })
export const accountKey = (datanetId: string, address: string) => ({
  pk: `N#${datanetId}`,
  sk: `account#${address}`,
})
export const progressKey = (submissionId: string) => ({ pk: `S#${submissionId}`, sk: 'progress' })
export const refusalsKey = (submissionId: string, line: number) => ({
  pk: `S#${submissionId}`,
  sk: `refusals#${digits(line)}`,
})

/** Registrations that meet take turns by the counter; each round one of them is through. */
const MAX_ROUNDS = 60
const VOUCHES_PER_PAGE = 500

export function datanetBook(client: DynamoDBDocumentClient, table: string): DatanetBook {
  const get: DatanetBook['get'] = async id => {
    const item = await getItem(client, table, datanetKey(id))
    return item === null ? null : toDatanet(item)
  }
  return {
    get,
    async keep(datanet) {
      const gsi1 = { gsi1pk: 'datanet', gsi1sk: `${digits(datanet.openedAt, INSTANT_DIGITS)}#${datanet.id}` }
      const isNew = await putOnce(client, table, { ...datanetKey(datanet.id), ...datanet, ...gsi1 })
      return isNew ? datanet : ((await get(datanet.id)) ?? datanet)
    },
    recordLogIndex: (id, logIndex) => setLogIndex(client, table, datanetKey(id), logIndex),
    async list({ cursor, limit }) {
      const { Items = [], LastEvaluatedKey } = await client.send(
        listCommand(table, 'datanet', { cursor, limit }),
      )
      return { items: Items.map(toDatanet), cursor: encodeCursor(LastEvaluatedKey) }
    },
  }
}

export function submissionBook(client: DynamoDBDocumentClient, table: string): SubmissionBook {
  const get: SubmissionBook['get'] = async id => {
    const item = await getItem(client, table, submissionKey(id))
    return item === null ? null : toSubmission(item)
  }
  return {
    get,

    async register(submission) {
      const { datanetId } = submission.manifest
      for (let round = 0; round < MAX_ROUNDS; round++) {
        if (round > 0) await pause(round)
        const known = await get(submission.id)
        if (known !== null) return known
        const registered = Number((await getItem(client, table, countsKey(datanetId)))?.submissions ?? 0)
        const next = { ...submission, sequence: registered + 1 }
        if (await addSubmission(client, table, next, registered)) return next
      }
      throw new OpenLedgerError(
        'unavailable',
        'Too many register in this Datanet at this moment; send it again',
      )
    },

    async list(datanetId, { cursor, limit }) {
      const { Items = [], LastEvaluatedKey } = await client.send(
        listCommand(table, `N#${datanetId}`, { cursor, limit }),
      )
      return { items: Items.map(toSubmission), cursor: encodeCursor(LastEvaluatedKey) }
    },

    async *all(datanetId) {
      for await (const items of pages(client, table, `N#${datanetId}`, 'submission#')) {
        const keys = items.map(item => submissionKey(item.submissionId as string))
        const submissions = (await batchGet(client, table, keys)).map(toSubmission)
        yield* submissions.sort((left, right) => left.sequence - right.sequence)
      }
    },

    async counts(datanetId) {
      return toCounts((await getItem(client, table, countsKey(datanetId))) ?? {})
    },

    async recordReceived(id, receivedAt) {
      const { Attributes } = await client
        .send(
          new UpdateCommand({
            TableName: table,
            Key: submissionKey(id),
            // An attribute that is null exists, so if_not_exists would not do.
            UpdateExpression: 'SET receivedAt = :at',
            ConditionExpression: 'receivedAt = :none',
            ExpressionAttributeValues: { ':at': receivedAt, ':none': null },
            ReturnValues: 'ALL_NEW',
            ReturnValuesOnConditionCheckFailure: 'ALL_OLD',
          }),
        )
        .catch(async error => {
          if (!isConditionFailure(error)) throw error
          return { Attributes: (await getItem(client, table, submissionKey(id))) ?? {} }
        })
      return Number(Attributes?.receivedAt ?? receivedAt)
    },

    async progress(id) {
      const item = await getItem(client, table, progressKey(id))
      if (item === null) return NO_PROGRESS
      const { nextLine, accepted, refused, isDone } = item as unknown as IntakeProgress
      return { nextLine, accepted, refused, isDone }
    },

    async refusals(id, limit) {
      const refusals: Refusal[] = []
      for await (const items of pages(client, table, `S#${id}`, 'refusals#')) {
        refusals.push(...items.flatMap(item => item.refusals as Refusal[]))
        if (refusals.length >= limit) break
      }
      return refusals.slice(0, limit)
    },

    async recordOutcome(submission, outcome) {
      try {
        await client.send(
          new TransactWriteCommand({
            TransactItems: [
              {
                Update: {
                  TableName: table,
                  Key: submissionKey(submission.id),
                  UpdateExpression: 'SET outcome = :outcome',
                  ConditionExpression: 'outcome = :none',
                  ExpressionAttributeValues: { ':outcome': outcome, ':none': null },
                },
              },
              {
                Update: {
                  TableName: table,
                  Key: countsKey(submission.manifest.datanetId),
                  ...countOutcome(outcome),
                },
              },
            ],
          }),
        )
        return outcome
      } catch (error) {
        if (failedCondition(error) === null) throw error
        const standing = (await get(submission.id))?.outcome
        // Another submission's counts held the item: the same call again gets through.
        if (standing == null)
          throw new OpenLedgerError('unavailable', 'The outcome is not recorded yet', { cause: error })
        return standing
      }
    },

    recordLogIndex: (id, logIndex) => setLogIndex(client, table, submissionKey(id), logIndex),

    async recordReceipt(id, receipt) {
      await client.send(
        new UpdateCommand({
          TableName: table,
          Key: submissionKey(id),
          UpdateExpression: 'SET receipt = :receipt',
          ExpressionAttributeValues: { ':receipt': receipt },
        }),
      )
    },
  }
}

/** @param governors whose word counts */
export function accountBook(
  client: DynamoDBDocumentClient,
  table: string,
  governors: readonly Address[],
): AccountBook {
  return {
    async keepVouch(vouch) {
      const { account, governor } = vouch
      const gsi1 = { gsi1pk: 'vouch', gsi1sk: `${account}#${governor}#${digits(vouch.nonce, NONCE_DIGITS)}` }
      if (await putOnce(client, table, { ...vouchKey(vouch), ...vouch, ...gsi1 })) return vouch
      const item = await getItem(client, table, vouchKey(vouch))
      return item === null ? vouch : toVouch(item)
    },
    recordVouchLogIndex: (vouch, logIndex) => setLogIndex(client, table, vouchKey(vouch), logIndex),
    async vouches(account) {
      const vouches: Vouch[] = []
      for await (const items of pages(client, table, `ACCOUNT#${account}`, 'vouch#'))
        vouches.push(...items.map(toVouch))
      return vouches
    },
    async validators() {
      const vouches: Vouch[] = []
      let cursor: string | undefined
      do {
        const { Items = [], LastEvaluatedKey } = await client.send(
          listCommand(table, 'vouch', { cursor, limit: VOUCHES_PER_PAGE }),
        )
        vouches.push(...Items.map(toVouch))
        cursor = encodeCursor(LastEvaluatedKey) ?? undefined
      } while (cursor !== undefined)
      const accounts = [...new Set(vouches.map(vouch => vouch.account))].sort()
      const own = (account: Address) => vouches.filter(vouch => vouch.account === account)
      return accounts.filter(account => vouchedLevel(own(account), governors) >= VALIDATOR_LEVEL)
    },
  }
}

export function datasetBook(client: DynamoDBDocumentClient, table: string): DatasetBook {
  const get: DatasetBook['get'] = async id => {
    const item = await getItem(client, table, datasetKey(id))
    return item === null ? null : toDataset(item)
  }
  const at: DatasetBook['at'] = async (datanetId, logSize) => {
    const item = await getItem(client, table, frozenKey(datanetId, logSize))
    return item === null ? null : get(item.datasetId as Bytes32)
  }
  return {
    get,
    at,
    async keep(dataset) {
      const { datanetId, logSize } = dataset.manifest
      try {
        await client.send(
          new TransactWriteCommand({
            TransactItems: [
              { Put: putNew(table, { ...frozenKey(datanetId, logSize), datasetId: dataset.id }) },
              { Put: putNew(table, { ...datasetKey(dataset.id), ...dataset }) },
            ],
          }),
        )
        return dataset
      } catch (error) {
        if (failedCondition(error) === null) throw error
        const standing = await at(datanetId, logSize)
        if (standing === null)
          throw new OpenLedgerError('unavailable', 'The dataset is not recorded yet', { cause: error })
        return standing
      }
    },
    recordLogIndex: ({ id }, logIndex) => setLogIndex(client, table, datasetKey(id), logIndex),
  }
}

async function addSubmission(
  client: DynamoDBDocumentClient,
  table: string,
  submission: Submission,
  registered: number,
) {
  const { datanetId } = submission.manifest
  const { id, sequence } = submission
  const isFirst = registered === 0
  try {
    await client.send(
      new TransactWriteCommand({
        TransactItems: [
          {
            Update: {
              TableName: table,
              Key: countsKey(datanetId),
              UpdateExpression: 'SET submissions = :next',
              ConditionExpression: isFirst
                ? 'attribute_not_exists(submissions)'
                : 'submissions = :registered',
              ExpressionAttributeValues: {
                ':next': sequence,
                ...(isFirst ? {} : { ':registered': registered }),
              },
            },
          },
          {
            Put: putNew(table, {
              ...submissionKey(id),
              ...submission,
              gsi1pk: `N#${datanetId}`,
              gsi1sk: `${digits(sequence)}#${id}`,
            }),
          },
          { Put: putNew(table, { ...sequenceKey(datanetId, sequence), submissionId: id }) },
        ],
      }),
    )
    return true
  } catch (error) {
    if (failedCondition(error) === null) throw error
    return false
  }
}

const OUTCOME = 'outcome#'
const REFUSED = 'refused#'

function countOutcome({ state, accepted, refused }: SubmissionOutcome) {
  const counted: [string, number][] = [
    [`${OUTCOME}${state}`, 1],
    ['acceptedRecords', accepted],
    ...Object.entries(refused).map(([code, count]): [string, number] => [`${REFUSED}${code}`, count]),
  ]
  return {
    UpdateExpression: `ADD ${counted.map((_, at) => `#c${at} :c${at}`).join(', ')}`,
    ExpressionAttributeNames: Object.fromEntries(counted.map(([name], at) => [`#c${at}`, name])),
    ExpressionAttributeValues: Object.fromEntries(counted.map(([, count], at) => [`:c${at}`, count])),
  }
}

function toCounts(item: Item): DatanetCounts {
  const withPrefix = (prefix: string) =>
    Object.fromEntries(
      Object.entries(item)
        .filter(([name]) => name.startsWith(prefix))
        .map(([name, count]) => [name.slice(prefix.length), Number(count)]),
    )
  return {
    submissions: Number(item.submissions ?? 0),
    outcomes: {
      ...{ accepted: 0, 'partly-accepted': 0, rejected: 0, quarantined: 0 },
      ...withPrefix(OUTCOME),
    },
    acceptedRecords: Number(item.acceptedRecords ?? 0),
    refusedRecords: withPrefix(REFUSED),
  }
}

async function getItem(client: DynamoDBDocumentClient, table: string, Key: Item): Promise<Item | null> {
  const { Item } = await client.send(new GetCommand({ TableName: table, Key, ConsistentRead: true }))
  return Item ?? null
}

function putNew(table: string, Item: Item) {
  return { TableName: table, Item, ConditionExpression: 'attribute_not_exists(pk)' }
}

/** False when the key is taken. */
async function putOnce(client: DynamoDBDocumentClient, table: string, item: Item): Promise<boolean> {
  try {
    await client.send(new PutCommand(putNew(table, item)))
    return true
  } catch (error) {
    if (isConditionFailure(error)) return false
    throw error
  }
}

/** The log gives a leaf one index, so writing it again changes nothing. */
async function setLogIndex(client: DynamoDBDocumentClient, table: string, Key: Item, logIndex: number) {
  await client.send(
    new UpdateCommand({
      TableName: table,
      Key,
      UpdateExpression: 'SET logIndex = :index',
      ConditionExpression: 'attribute_exists(pk)',
      ExpressionAttributeValues: { ':index': logIndex },
    }),
  )
}

function listCommand(
  table: string,
  kind: string,
  page: { cursor: string | undefined; limit: number | undefined },
) {
  return new QueryCommand({
    TableName: table,
    IndexName: 'byKind',
    KeyConditionExpression: 'gsi1pk = :kind',
    ExpressionAttributeValues: { ':kind': kind },
    ScanIndexForward: false,
    Limit: page.limit ?? 50,
    ...decodeCursor(page.cursor),
  })
}

/** Consistent pages of a partition, by sort key. */
export async function* pages(
  client: DynamoDBDocumentClient,
  table: string,
  pk: string,
  prefix: string,
): AsyncGenerator<Item[]> {
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
    yield page.Items ?? []
    start = page.LastEvaluatedKey
  } while (start !== undefined)
}

function withoutKeys(item: Item): Item {
  const { pk: _pk, sk: _sk, gsi1pk: _gsi1pk, gsi1sk: _gsi1sk, ...rest } = item
  return rest
}
const toDatanet = (item: Item) => withoutKeys(item) as unknown as Datanet
const toSubmission = (item: Item) => withoutKeys(item) as unknown as Submission
const toVouch = (item: Item) => withoutKeys(item) as unknown as Vouch
const toDataset = (item: Item) => withoutKeys(item) as unknown as FrozenDatasetRecord
