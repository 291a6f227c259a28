import {
  GetObjectCommand,
  NoSuchKey,
  PutObjectCommand,
  type S3Client,
  S3ServiceException,
} from '@aws-sdk/client-s3'
import { getSignedUrl } from '@aws-sdk/s3-request-presigner'
import type { Uploads } from '../../domain/data/ports.ts'
import { incomingKey } from '../../domain/data/submission.ts'
import { OpenLedgerError } from '../../domain/errors.ts'

/** Signature Version 4 presigns for at most seven days. */
const MAX_EXPIRES_SECONDS = 7 * 86_400
const CHECKSUM = 'x-amz-checksum-sha256'
const ONLY_ONCE = 'if-none-match'
/** HTTP 412: the object is another version than the one that was inspected. */
const PRECONDITION_FAILED = 412

/**
 * Uploads in one bucket. A ticket is a presigned PUT whose signature covers digest, length and
 * `If-None-Match: *` as headers: the SDK would hoist the checksum into the query, where S3 does not check it.
 * A URL signed with a role's session ends with the session, however late the deadline; asking again gives another.
 */
export function uploads(s3: S3Client, bucket: string): Uploads {
  return {
    async ticket({ id, manifest }, now) {
      const expiresIn = Math.min(MAX_EXPIRES_SECONDS, Math.floor((manifest.deadline - now) / 1_000))
      if (expiresIn < 1) throw new OpenLedgerError('malformed', 'The deadline of this upload is over')
      const checksum = Buffer.from(manifest.objectDigest, 'hex').toString('base64')
      const put = new PutObjectCommand({
        Bucket: bucket,
        Key: incomingKey(id),
        ContentLength: manifest.sizeBytes,
        ChecksumSHA256: checksum,
        IfNoneMatch: '*',
      })
      const signed = new Set([CHECKSUM, ONLY_ONCE, 'content-length', 'host'])
      const url = await getSignedUrl(s3, put, {
        expiresIn,
        signableHeaders: signed,
        unhoistableHeaders: signed,
      })
      return {
        method: 'PUT',
        url,
        headers: { [CHECKSUM]: checksum, [ONLY_ONCE]: '*', 'content-length': String(manifest.sizeBytes) },
        expiresAt: now + expiresIn * 1_000,
      }
    },

    async open(submissionId, tag) {
      try {
        const { Body, ETag } = await s3.send(
          new GetObjectCommand({
            Bucket: bucket,
            Key: incomingKey(submissionId),
            ...(tag === undefined ? {} : { IfMatch: tag }),
          }),
        )
        if (Body === undefined || ETag === undefined) return null
        return { chunks: Body as unknown as AsyncIterable<Uint8Array>, tag: ETag }
      } catch (error) {
        if (error instanceof NoSuchKey) return null
        if (error instanceof S3ServiceException && error.$metadata.httpStatusCode === PRECONDITION_FAILED)
          return null
        throw error
      }
    },
  }
}
