import { createHash } from 'node:crypto'
import {
  type DynamoDBDocumentClient,
  GetCommand,
  PutCommand,
  QueryCommand,
  TransactWriteCommand,
  UpdateCommand,
} from '@aws-sdk/lib-dynamodb'
import type {
  BallotBook,
  GateState,
  PowerCache,
  ProposalBook,
  StoredWarrant,
  WarrantBook,
} from '../../domain/governance/ports.ts'
import type { Ballot, Proposal, Review, SnapshotBlock, VoteResult } from '../../domain/governance/proposal.ts'
import {
  bigintOf,
  decodeCursor,
  encodeCursor,
  failedCondition,
  isConditionFailure,
} from './document-client.ts'

/**
 * The governance table. Keys and access patterns:
 *
 *   pk                    sk                      what
 *   P#<id>                proposal                the proposal; gsi1 `proposal` / submittedAt lists them
 *   P#<id>                review#<governor>       one review a governor
 *   P#<id>                power#<voter>           power at the snapshot, final
 *   P#<id>                warrant#<action>        one warrant a step
 *   PROPOSER#<address>    live                    the lock on one live proposal an address
 *   B#<id>#<shard>        gate                    counters of the shard; shut once
 *   B#<id>#<shard>        ballot#<voter>          the ballot that counts
 *   B#<id>#<shard>        item#<voter>#<nonce>    every valid ballot, append only
 *   B#<id>#<shard>        equivocation#...        a nonce signed twice with other content
 */

/** 64 partitions a proposal take about 64,000 ballots a second before DynamoDB throttles one. */
const SHARDS = 64
const NONCE_DIGITS = 16

const proposalKey = (id: string) => ({ pk: `P#${id}`, sk: 'proposal' })
const shardKey = (id: string, shard: number) => `B#${id}#${String(shard).padStart(2, '0')}`
const itemSortKey = (voter: string, nonce: number) =>
  `item#${voter}#${String(nonce).padStart(NONCE_DIGITS, '0')}`
const supportField = { 0: 'againstWei', 1: 'forWei', 2: 'abstainWei' } as const

/** A voter's shard: any fixed spread works, it is never published. */
export function shardOf(voter: string): number {
  return createHash('sha256').update(voter).digest().readUInt16BE(0) % SHARDS
}

export function proposalBook(client: DynamoDBDocumentClient, table: string): ProposalBook {
  const get: ProposalBook['get'] = async id => {
    const { Item } = await client.send(
      new GetCommand({ TableName: table, Key: proposalKey(id), ConsistentRead: true }),
    )
    return Item === undefined ? null : toProposal(Item)
  }
  return {
    get,

    async add(proposal, liveUntilMs) {
      try {
        await client.send(
          new TransactWriteCommand({
            TransactItems: [
              {
                Put: {
                  TableName: table,
                  Item: {
                    ...proposalKey(proposal.id),
                    ...proposal,
                    gsi1pk: 'proposal',
                    gsi1sk: `${String(proposal.submittedAt).padStart(15, '0')}#${proposal.id}`,
                  },
                  ConditionExpression: 'attribute_not_exists(pk)',
                },
              },
              {
                Put: {
                  TableName: table,
                  Item: {
                    pk: `PROPOSER#${proposal.document.proposer}`,
                    sk: 'live',
                    proposalId: proposal.id,
                    liveUntilMs,
                  },
                  ConditionExpression: 'attribute_not_exists(pk) OR liveUntilMs < :now',
                  ExpressionAttributeValues: { ':now': proposal.submittedAt },
                },
              },
            ],
          }),
        )
        return 'added'
      } catch (error) {
        const failed = failedCondition(error)
        if (failed === 0) return 'exists'
        if (failed === 1) return (await get(proposal.id)) === null ? 'another-is-live' : 'exists'
        throw error
      }
    },

    async list({ cursor, limit }) {
      const { Items = [], LastEvaluatedKey } = await client.send(
        new QueryCommand({
          TableName: table,
          IndexName: 'byKind',
          KeyConditionExpression: 'gsi1pk = :kind',
          ExpressionAttributeValues: { ':kind': 'proposal' },
          ScanIndexForward: false,
          Limit: limit ?? 50,
          ...decodeCursor(cursor),
        }),
      )
      return { items: Items.map(toProposal), cursor: encodeCursor(LastEvaluatedKey) }
    },

    async reviews(id) {
      const items = await queryAll(client, table, `P#${id}`, 'review#')
      return items.map(item => ({
        governor: item.governor,
        decision: item.decision,
        reason: item.reason,
        nonce: item.nonce,
        signature: item.signature,
        receivedAt: item.receivedAt,
      })) as Review[]
    },

    async addReview(before, review, after) {
      try {
        await client.send(
          new TransactWriteCommand({
            TransactItems: [
              {
                Put: {
                  TableName: table,
                  Item: { pk: `P#${before.id}`, sk: `review#${review.governor}`, ...review },
                  ConditionExpression: 'attribute_not_exists(pk)',
                },
              },
              {
                Update: {
                  TableName: table,
                  Key: proposalKey(before.id),
                  UpdateExpression:
                    'SET admits = :admits, rejects = :rejects, admittedAt = :admittedAt, rejectedAt = :rejectedAt',
                  ConditionExpression: 'admits = :wereAdmits AND rejects = :wereRejects',
                  ExpressionAttributeValues: {
                    ':admits': after.admits,
                    ':rejects': after.rejects,
                    ':admittedAt': after.admittedAt,
                    ':rejectedAt': after.rejectedAt,
                    ':wereAdmits': before.admits,
                    ':wereRejects': before.rejects,
                  },
                },
              },
            ],
          }),
        )
        return 'added'
      } catch (error) {
        const failed = failedCondition(error)
        if (failed === 0) return 'exists'
        if (failed === 1 || failed === 'conflict') return 'changed'
        throw error
      }
    },

    async recordSnapshot(id, block) {
      return setOnce<SnapshotBlock>(client, table, id, 'snapshot', block)
    },

    async recordResult(id, result) {
      return toResult(await setOnce<VoteResult>(client, table, id, 'result', result))
    },

    async recordExecuted(id, executedAt, outcome) {
      await client
        .send(
          new UpdateCommand({
            TableName: table,
            Key: proposalKey(id),
            UpdateExpression: 'SET executedAt = :at, #outcome = :outcome',
            ConditionExpression: 'executedAt = :none',
            ExpressionAttributeNames: { '#outcome': 'outcome' },
            ExpressionAttributeValues: { ':at': executedAt, ':outcome': outcome, ':none': null },
          }),
        )
        .catch(ignoreConditionFailure)
    },
  }
}

export function ballotBook(client: DynamoDBDocumentClient, table: string): BallotBook {
  const read = async (id: string, voter: string, sk: string) => {
    const { Item } = await client.send(
      new GetCommand({
        TableName: table,
        Key: { pk: shardKey(id, shardOf(voter)), sk },
        ConsistentRead: true,
      }),
    )
    return Item === undefined ? null : toBallot(Item)
  }
  return {
    current: (id, voter) => read(id, voter, `ballot#${voter}`),
    item: (id, voter, nonce) => read(id, voter, itemSortKey(voter, nonce)),

    async replace(id, ballot, previous) {
      const pk = shardKey(id, shardOf(ballot.voter))
      const moves = deltas(ballot, previous)
      try {
        await client.send(
          new TransactWriteCommand({
            TransactItems: [
              {
                Put: {
                  TableName: table,
                  Item: { pk, sk: `ballot#${ballot.voter}`, ...ballot },
                  ConditionExpression: previous === null ? 'attribute_not_exists(pk)' : 'nonce = :read',
                  ...(previous === null ? {} : { ExpressionAttributeValues: { ':read': previous.nonce } }),
                },
              },
              {
                Update: {
                  TableName: table,
                  Key: { pk, sk: 'gate' },
                  UpdateExpression: `ADD ${[...moves.keys()].map(field => `${field} :${field}`).join(', ')}, voters :voters, ballotItems :one`,
                  ConditionExpression: 'attribute_not_exists(shutAt)',
                  ExpressionAttributeValues: {
                    ...Object.fromEntries([...moves].map(([field, wei]) => [`:${field}`, wei])),
                    ':voters': previous === null ? 1 : 0,
                    ':one': 1,
                  },
                },
              },
              {
                Put: {
                  TableName: table,
                  Item: { pk, sk: itemSortKey(ballot.voter, ballot.nonce), ...ballot },
                  ConditionExpression: 'attribute_not_exists(pk)',
                },
              },
            ],
          }),
        )
        return 'counted'
      } catch (error) {
        const failed = failedCondition(error)
        if (failed === 0 || failed === 'conflict') return 'changed'
        if (failed === 1) return 'gate-shut'
        if (failed === 2) return 'exists'
        throw error
      }
    },

    async keepSuperseded(id, ballot) {
      const pk = shardKey(id, shardOf(ballot.voter))
      try {
        await client.send(
          new TransactWriteCommand({
            TransactItems: [
              {
                Put: {
                  TableName: table,
                  Item: { pk, sk: itemSortKey(ballot.voter, ballot.nonce), ...ballot },
                  ConditionExpression: 'attribute_not_exists(pk)',
                },
              },
              {
                Update: {
                  TableName: table,
                  Key: { pk, sk: 'gate' },
                  UpdateExpression: 'ADD ballotItems :one',
                  ConditionExpression: 'attribute_not_exists(shutAt)',
                  ExpressionAttributeValues: { ':one': 1 },
                },
              },
            ],
          }),
        )
        return 'kept'
      } catch (error) {
        const failed = failedCondition(error)
        if (failed === 1) return 'gate-shut'
        if (failed === 0 || failed === 'conflict') return 'exists'
        throw error
      }
    },

    async recordEquivocation(id, ballot) {
      const pk = shardKey(id, shardOf(ballot.voter))
      const digest = createHash('sha256')
        .update(`${ballot.support}|${ballot.reason}`)
        .digest('hex')
        .slice(0, 16)
      await client.send(
        new PutCommand({
          TableName: table,
          Item: { pk, ...ballot, sk: `equivocation#${ballot.voter}#${ballot.nonce}#${digest}` },
        }),
      )
    },

    async gates(id) {
      return Promise.all(
        Array.from({ length: SHARDS }, async (_, shard) => {
          const { Item } = await client.send(
            new GetCommand({
              TableName: table,
              Key: { pk: shardKey(id, shard), sk: 'gate' },
              ConsistentRead: true,
            }),
          )
          return toGate(shard, Item)
        }),
      )
    },

    async shutGate(id, shard, shutAt) {
      await client
        .send(
          new UpdateCommand({
            TableName: table,
            Key: { pk: shardKey(id, shard), sk: 'gate' },
            UpdateExpression: 'SET shutAt = :at',
            ConditionExpression: 'attribute_not_exists(shutAt)',
            ExpressionAttributeValues: { ':at': shutAt },
          }),
        )
        .catch(ignoreConditionFailure)
    },

    async items(id, shard) {
      return (await queryAll(client, table, shardKey(id, shard), 'item#')).map(toBallot)
    },
  }
}

export function powerCache(client: DynamoDBDocumentClient, table: string): PowerCache {
  return {
    async get(id, voter) {
      const { Item } = await client.send(
        new GetCommand({ TableName: table, Key: { pk: `P#${id}`, sk: `power#${voter}` } }),
      )
      return Item === undefined ? null : bigintOf(Item.powerWei)
    },
    async put(id, voter, powerWei) {
      await client.send(
        new PutCommand({ TableName: table, Item: { pk: `P#${id}`, sk: `power#${voter}`, powerWei } }),
      )
    },
  }
}

export function warrantBook(client: DynamoDBDocumentClient, table: string): WarrantBook {
  const key = (proposalId: string, action: string) => ({ pk: `P#${proposalId}`, sk: `warrant#${action}` })
  const get: WarrantBook['get'] = async (proposalId, action) => {
    const { Item } = await client.send(
      new GetCommand({ TableName: table, Key: key(proposalId, action), ConsistentRead: true }),
    )
    return Item === undefined ? null : toWarrant(Item)
  }
  return {
    get,
    async keep(warrant) {
      await client
        .send(
          new PutCommand({
            TableName: table,
            Item: { ...key(warrant.document.proposalId, warrant.document.action), ...warrant },
            ConditionExpression: 'attribute_not_exists(pk)',
          }),
        )
        .catch(ignoreConditionFailure)
      const { proposalId, action } = warrant.document
      return (await get(proposalId as StoredWarrant['id'], action)) ?? warrant
    },
    async list(proposalId) {
      return (await queryAll(client, table, `P#${proposalId}`, 'warrant#')).map(toWarrant)
    },
    async use(proposalId, action, user, attempt) {
      try {
        await client.send(
          new UpdateCommand({
            TableName: table,
            Key: key(proposalId, action),
            UpdateExpression: 'SET usedBy = :user, attempts = :attempt',
            ConditionExpression: 'attribute_exists(pk) AND (usedBy = :none OR usedBy = :user)',
            ExpressionAttributeValues: { ':user': user, ':none': null, ':attempt': attempt },
          }),
        )
        return true
      } catch (error) {
        if (isConditionFailure(error)) return false
        throw error
      }
    },
    async succeed(proposalId, action, user) {
      await client.send(
        new UpdateCommand({
          TableName: table,
          Key: key(proposalId, action),
          UpdateExpression: 'SET succeeded = :yes',
          ConditionExpression: 'usedBy = :user',
          ExpressionAttributeValues: { ':yes': true, ':user': user },
        }),
      )
    },
  }
}

type Item = Record<string, unknown>

/** Sets an attribute that is null once and answers with the value that stands. */
async function setOnce<T>(
  client: DynamoDBDocumentClient,
  table: string,
  id: string,
  attribute: 'snapshot' | 'result',
  value: T,
): Promise<T> {
  try {
    await client.send(
      new UpdateCommand({
        TableName: table,
        Key: proposalKey(id),
        UpdateExpression: 'SET #attribute = :value',
        ConditionExpression: '#attribute = :none',
        ExpressionAttributeNames: { '#attribute': attribute },
        ExpressionAttributeValues: { ':value': value, ':none': null },
      }),
    )
    return value
  } catch (error) {
    if (!isConditionFailure(error)) throw error
    const { Item } = await client.send(
      new GetCommand({ TableName: table, Key: proposalKey(id), ConsistentRead: true }),
    )
    return Item?.[attribute] as T
  }
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

/** What a re-vote changes: the new choice gains, the old one loses. A field that nets to nothing stays out. */
function deltas(ballot: Ballot, previous: Ballot | null): Map<string, bigint> {
  const moves = new Map<string, bigint>([[supportField[ballot.support], ballot.powerWei]])
  if (previous !== null) {
    const field = supportField[previous.support]
    moves.set(field, (moves.get(field) ?? 0n) - previous.powerWei)
  }
  return moves
}

function toProposal(item: Item): Proposal {
  const { pk: _pk, sk: _sk, gsi1pk: _gsi1pk, gsi1sk: _gsi1sk, ...proposal } = item
  const stored = proposal as unknown as Proposal
  return { ...stored, result: stored.result === null ? null : toResult(stored.result) }
}

function toResult(result: VoteResult): VoteResult {
  return {
    ...result,
    tally: {
      againstWei: bigintOf(result.tally.againstWei),
      forWei: bigintOf(result.tally.forWei),
      abstainWei: bigintOf(result.tally.abstainWei),
    },
    quorumWei: bigintOf(result.quorumWei),
    totalSupplyWei: bigintOf(result.totalSupplyWei),
  }
}

function toBallot(item: Item): Ballot {
  const { voter, support, nonce, reason, signature, receivedAt } = item as unknown as Ballot
  return { voter, support, nonce, reason, signature, receivedAt, powerWei: bigintOf(item.powerWei) }
}

function toGate(shard: number, item: Item | undefined): GateState {
  return {
    shard,
    tally: {
      againstWei: bigintOf(item?.againstWei),
      forWei: bigintOf(item?.forWei),
      abstainWei: bigintOf(item?.abstainWei),
    },
    voters: Number(item?.voters ?? 0),
    items: Number(item?.ballotItems ?? 0),
    shutAt: (item?.shutAt as number | undefined) ?? null,
  }
}

function toWarrant(item: Item): StoredWarrant {
  const { id, document, signature, input, usedBy, attempts, succeeded } = item as unknown as StoredWarrant
  return { id, document, signature, input, usedBy, attempts, succeeded }
}

function ignoreConditionFailure(error: unknown) {
  if (!isConditionFailure(error)) throw error
}
