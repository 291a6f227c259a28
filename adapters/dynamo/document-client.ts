import { DynamoDBClient, TransactionCanceledException } from '@aws-sdk/client-dynamodb'
import { DynamoDBDocumentClient } from '@aws-sdk/lib-dynamodb'
import { OpenLedgerError } from '../../domain/errors.ts'

/** One client a process. Amounts travel as bigint: DynamoDB numbers hold 38 digits. */
export function documentClient(): DynamoDBDocumentClient {
  return DynamoDBDocumentClient.from(new DynamoDBClient({}), {
    marshallOptions: { removeUndefinedValues: true },
  })
}

/** lib-dynamodb gives a number where it is safe and a bigint above; amounts are always wanted as bigint. */
export function bigintOf(value: unknown): bigint {
  if (typeof value === 'bigint') return value
  return typeof value === 'number' ? BigInt(value) : 0n
}

/**
 * The position of the first item whose condition failed in a canceled transaction; 'conflict' when another
 * transaction held an item; null when the error is something else.
 */
export function failedCondition(error: unknown): number | 'conflict' | null {
  if (!(error instanceof TransactionCanceledException)) return null
  const reasons = error.CancellationReasons ?? []
  const failed = reasons.findIndex(reason => reason.Code === 'ConditionalCheckFailed')
  if (failed >= 0) return failed
  return reasons.some(reason => reason.Code === 'TransactionConflict') ? 'conflict' : null
}

export function isConditionFailure(error: unknown): boolean {
  return error instanceof Error && error.name === 'ConditionalCheckFailedException'
}

/** A page's cursor is the last key of the page, opaque to clients. */
export function encodeCursor(key: Record<string, unknown> | undefined): string | null {
  return key === undefined ? null : Buffer.from(JSON.stringify(key)).toString('base64url')
}

/** @throws OpenLedgerError malformed when a client made up the cursor */
export function decodeCursor(
  cursor: string | undefined,
): { ExclusiveStartKey: Record<string, string> } | object {
  if (cursor === undefined) return {}
  try {
    const key = JSON.parse(Buffer.from(cursor, 'base64url').toString('utf8')) as Record<string, string>
    const plain = ['pk', 'sk', 'gsi1pk', 'gsi1sk'].every(name => typeof key[name] === 'string')
    if (plain && Object.keys(key).length === 4) return { ExclusiveStartKey: key }
  } catch (cause) {
    throw malformedCursor(cause)
  }
  throw malformedCursor(undefined)
}

function malformedCursor(cause: unknown) {
  return new OpenLedgerError('malformed', 'This is not a cursor of this listing', {
    expected: 'the cursor of the page before',
    cause,
  })
}
