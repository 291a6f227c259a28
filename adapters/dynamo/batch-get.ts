import { BatchGetCommand, type DynamoDBDocumentClient } from '@aws-sdk/lib-dynamodb'
import { OpenLedgerError } from '../../domain/errors.ts'

/** DynamoDB's own limit a request. */
const MAX_KEYS = 100
/** A table that is throttled this often in a row needs more than another try. */
const MAX_TRIES = 8
const FIRST_WAIT_MS = 50

type Key = { readonly pk: string; readonly sk: string }

/** Consistent reads of any number of distinct keys, in no order; missing items are left out. */
export async function batchGet(
  client: DynamoDBDocumentClient,
  table: string,
  keys: readonly Key[],
): Promise<Record<string, unknown>[]> {
  const chunks = Array.from({ length: Math.ceil(keys.length / MAX_KEYS) }, (_, at) =>
    keys.slice(at * MAX_KEYS, (at + 1) * MAX_KEYS),
  )
  return (await Promise.all(chunks.map(chunk => getChunk(client, table, chunk)))).flat()
}

async function getChunk(client: DynamoDBDocumentClient, table: string, keys: readonly Key[]) {
  const items: Record<string, unknown>[] = []
  let left: readonly Record<string, unknown>[] = keys
  for (let tries = 0; left.length > 0; tries++) {
    if (tries === MAX_TRIES) throw new OpenLedgerError('unavailable', 'The table answers too slowly now')
    if (tries > 0) await new Promise(resolve => setTimeout(resolve, FIRST_WAIT_MS * 2 ** tries))
    const { Responses, UnprocessedKeys } = await client.send(
      new BatchGetCommand({ RequestItems: { [table]: { Keys: [...left], ConsistentRead: true } } }),
    )
    items.push(...(Responses?.[table] ?? []))
    left = UnprocessedKeys?.[table]?.Keys ?? []
  }
  return items
}
