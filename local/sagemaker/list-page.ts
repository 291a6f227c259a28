/** The paging, filtering and sorting that all of SageMaker's List operations share. */
import { validationException } from './aws-error.ts'

export type ListRequest = {
  NextToken?: string
  MaxResults?: number
  NameContains?: string
  SortBy?: string
  SortOrder?: string
  /** Instants come over the wire as epoch seconds. */
  CreationTimeAfter?: number
  CreationTimeBefore?: number
  LastModifiedTimeAfter?: number
  LastModifiedTimeBefore?: number
}

export type Listed = { name: string; createdAt: number; modifiedAt: number; status?: string }

const DEFAULT_PAGE = 10

/** One page of `records`, oldest first unless asked otherwise; instants inside are epoch milliseconds. */
export function listPage<T extends Listed>(
  records: readonly T[],
  request: ListRequest,
  defaultOrder: 'Ascending' | 'Descending',
): { page: T[]; NextToken?: string } {
  const after = (at: number, seconds: number | undefined) => seconds === undefined || at > seconds * 1000
  const before = (at: number, seconds: number | undefined) => seconds === undefined || at < seconds * 1000
  const kept = records.filter(
    record =>
      record.name.toLowerCase().includes((request.NameContains ?? '').toLowerCase()) &&
      after(record.createdAt, request.CreationTimeAfter) &&
      before(record.createdAt, request.CreationTimeBefore) &&
      after(record.modifiedAt, request.LastModifiedTimeAfter) &&
      before(record.modifiedAt, request.LastModifiedTimeBefore),
  )
  const keyOf = (record: T): string | number =>
    request.SortBy === 'Name'
      ? record.name
      : request.SortBy === 'Status'
        ? (record.status ?? '')
        : request.SortBy === 'LastModifiedTime'
          ? record.modifiedAt
          : record.createdAt
  const direction = (request.SortOrder ?? defaultOrder) === 'Ascending' ? 1 : -1
  const compare = (a: string | number, b: string | number) => (a < b ? -1 : a > b ? 1 : 0)
  kept.sort((a, b) => direction * (compare(keyOf(a), keyOf(b)) || compare(a.name, b.name)))

  const start = request.NextToken === undefined ? 0 : offsetOf(request.NextToken)
  const end = start + (request.MaxResults ?? DEFAULT_PAGE)
  return {
    page: kept.slice(start, end),
    ...(end < kept.length ? { NextToken: Buffer.from(`from:${end}`).toString('base64url') } : {}),
  }
}

function offsetOf(token: string): number {
  const match = /^from:(\d+)$/.exec(Buffer.from(token, 'base64url').toString('utf8'))
  if (!match) throw validationException('Invalid NextToken')
  return Number(match[1])
}
