import {
  type DynamoDBDocumentClient,
  GetCommand,
  PutCommand,
  QueryCommand,
  TransactWriteCommand,
} from '@aws-sdk/lib-dynamodb'
import type { LogBook } from '../../domain/data/ports.ts'
import { OpenLedgerError } from '../../domain/errors.ts'
import { bytesToDigits, hexToBytes } from '../../domain/protocol/hex.ts'
import { EMPTY_FRONTIER, type Frontier } from '../../domain/protocol/merkle-log.ts'
import { TILE_WIDTH } from '../../domain/protocol/tiles.ts'
import { failedCondition, isConditionFailure } from './document-client.ts'

/**
 * The log table: what is appended and what was published of it. Keys and access patterns:
 *
 *   pk                 sk           what
 *   HEAD               appended     size and frontier of the log; every append compares and swaps it
 *   HEAD               published    size and frontier of the last signed head, with the note itself
 *   E#<bundle>         <index>      one entry as its canonical text, 256 a partition as in its bundle
 *   L#<leaf hash>      leaf         index of the entry with this hash: the natural key of an append
 */

const HEAD = { pk: 'HEAD', sk: 'appended' }
const PUBLISHED = { pk: 'HEAD', sk: 'published' }
/** Sort keys of a partition are compared as text. */
const INDEX_DIGITS = 16
const indexText = (index: number) => String(index).padStart(INDEX_DIGITS, '0')
const entryKey = (index: number) => ({ pk: `E#${Math.floor(index / TILE_WIDTH)}`, sk: indexText(index) })

export function logBook(client: DynamoDBDocumentClient, table: string): LogBook {
  const get = async (Key: { pk: string; sk: string }) => {
    const { Item } = await client.send(new GetCommand({ TableName: table, Key, ConsistentRead: true }))
    return Item
  }
  return {
    async head() {
      return toFrontier(await get(HEAD))
    },

    async indexOf(leafHash) {
      const item = await get({ pk: `L#${leafHash}`, sk: 'leaf' })
      return item === undefined ? null : (item.index as number)
    },

    async append(before, entries, after) {
      try {
        await client.send(
          new TransactWriteCommand({
            TransactItems: [
              {
                Put: { TableName: table, Item: { ...HEAD, ...fromFrontier(after) }, ...sizeIs(before.size) },
              },
              ...entries.flatMap(({ bytes, leafHash }, at) => {
                const index = before.size + at
                const entry = Buffer.from(bytes).toString('utf8')
                return [
                  putNew(table, { ...entryKey(index), index, entry, leafHash }),
                  putNew(table, { pk: `L#${leafHash}`, sk: 'leaf', index }),
                ]
              }),
            ],
          }),
        )
        return 'appended'
      } catch (error) {
        if (failedCondition(error) !== null) return 'changed'
        throw error
      }
    },

    async entries(start, end) {
      const entries: Uint8Array[] = []
      while (start + entries.length < end) {
        const from = start + entries.length
        const { Items = [] } = await client.send(
          new QueryCommand({
            TableName: table,
            KeyConditionExpression: 'pk = :pk AND sk BETWEEN :from AND :to',
            ExpressionAttributeValues: {
              ':pk': entryKey(from).pk,
              ':from': indexText(from),
              ':to': indexText(end - 1),
            },
            ConsistentRead: true,
          }),
        )
        Items.forEach((item, at) => {
          if (item.index === from + at) entries.push(Buffer.from(item.entry as string, 'utf8'))
        })
        if (start + entries.length === from) {
          throw new OpenLedgerError('internal', 'The log table lacks an entry below its head', {
            seen: `index ${from}`,
          })
        }
      }
      return entries
    },

    async published() {
      const item = await get(PUBLISHED)
      return item === undefined ? null : { frontier: toFrontier(item), note: item.note as string }
    },

    async recordPublished(before, after) {
      try {
        await client.send(
          new PutCommand({
            TableName: table,
            Item: { ...PUBLISHED, ...fromFrontier(after.frontier), note: after.note },
            ...sizeIs(before === null ? 0 : before.frontier.size),
          }),
        )
        return true
      } catch (error) {
        if (isConditionFailure(error)) return false
        throw error
      }
    },
  }
}

/** Compare and swap: a log's size only grows, so the same size is the same head. */
function sizeIs(size: number) {
  if (size === 0) return { ConditionExpression: 'attribute_not_exists(pk)' }
  return {
    ConditionExpression: '#size = :before',
    ExpressionAttributeNames: { '#size': 'size' },
    ExpressionAttributeValues: { ':before': size },
  }
}

function putNew(table: string, Item: Record<string, unknown>) {
  return { Put: { TableName: table, Item, ConditionExpression: 'attribute_not_exists(pk)' } }
}

function fromFrontier(frontier: Frontier) {
  return { size: frontier.size, hashes: frontier.hashes.map(bytesToDigits) }
}

function toFrontier(item: Record<string, unknown> | undefined): Frontier {
  if (item === undefined) return EMPTY_FRONTIER
  return { size: item.size as number, hashes: (item.hashes as string[]).map(hexToBytes) }
}
