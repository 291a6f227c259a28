import type { S3Event, SQSBatchResponse, SQSEvent } from 'aws-lambda'
import { parseBytes32 } from '../../domain/protocol/hex.ts'
import { resourceName } from '../../domain/protocol/ids.ts'
import { deps } from '../deps.ts'
import { logger } from '../http/endpoint.ts'

const INCOMING = /^incoming\/(0x[0-9a-f]{64})$/

/** One execution a submission, however often S3 says that it arrived. A message that fails is given back alone. */
export const handler = async (event: SQSEvent): Promise<SQSBatchResponse> => {
  const outcomes = await Promise.allSettled(event.Records.map(record => startFor(record.body)))
  return {
    batchItemFailures: outcomes.flatMap((outcome, at) => {
      if (outcome.status === 'fulfilled') return []
      logger.error('intake.not-started', { error: outcome.reason as Error })
      return [{ itemIdentifier: event.Records[at]!.messageId }]
    }),
  }
}

async function startFor(body: string) {
  // The message that S3 sends when a notification is set up has no records.
  const { Records = [] } = JSON.parse(body) as Partial<S3Event>
  for (const { s3 } of Records) {
    const key = decodeURIComponent(s3.object.key.replaceAll('+', ' '))
    const id = INCOMING.exec(key)?.[1]
    if (id === undefined) {
      logger.warn('upload.unexpected-key', { key })
      continue
    }
    const submissionId = parseBytes32(id)
    const name = resourceName(deps.genesis().stage, 'intake', submissionId, 1)
    await deps.intake().start('intake', name, { schema: 1, submissionId })
    logger.info('intake.started', { submissionId })
  }
}
