import type { Context } from 'aws-lambda'
import { compareRecords } from '../../domain/data/compare-records.ts'
import { parseBytes32 } from '../../domain/protocol/hex.ts'
import { deps } from '../deps.ts'

/** Enough for the batch in hand; the machine calls again for the rest. */
const STOP_BEFORE_END_MS = 60_000

export const handler = (event: { submissionId: string; tag: string }, context: Context) =>
  compareRecords(
    {
      genesis: deps.genesis(),
      datanets: deps.datanets(),
      submissions: deps.submissions(),
      records: deps.records(),
      accounts: deps.accounts(),
      artifacts: deps.artifacts(),
      uploads: deps.uploads(),
      pause: deps.pause,
    },
    {
      submissionId: parseBytes32(event.submissionId),
      tag: event.tag,
      shouldStop: () => context.getRemainingTimeInMillis() < STOP_BEFORE_END_MS,
    },
  )
