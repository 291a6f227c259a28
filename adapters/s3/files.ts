import {
  GetObjectCommand,
  HeadObjectCommand,
  NoSuchKey,
  NotFound,
  PutObjectCommand,
  type S3Client,
} from '@aws-sdk/client-s3'
import { getSignedUrl } from '@aws-sdk/s3-request-presigner'
import type { PublicFiles } from '../../domain/governance/ports.ts'

/** Long enough for a client to follow the redirect, short enough to be useless in a log. */
const REDIRECT_EXPIRES_SECONDS = 300

export type Files = PublicFiles & {
  exists(key: string): Promise<boolean>
  /** A presigned GET for a redirect. */
  locate(key: string): Promise<string>
}

/** Whole small objects of one bucket. */
export function files(s3: S3Client, bucket: string): Files {
  return {
    async put(key, bytes, contentType) {
      await s3.send(new PutObjectCommand({ Bucket: bucket, Key: key, Body: bytes, ContentType: contentType }))
    },
    async get(key) {
      try {
        const { Body } = await s3.send(new GetObjectCommand({ Bucket: bucket, Key: key }))
        return Body === undefined ? null : await Body.transformToByteArray()
      } catch (error) {
        if (error instanceof NoSuchKey) return null
        throw error
      }
    },
    async exists(key) {
      try {
        await s3.send(new HeadObjectCommand({ Bucket: bucket, Key: key }))
        return true
      } catch (error) {
        if (error instanceof NotFound) return false
        throw error
      }
    },
    locate: key =>
      getSignedUrl(s3, new GetObjectCommand({ Bucket: bucket, Key: key }), {
        expiresIn: REDIRECT_EXPIRES_SECONDS,
      }),
  }
}
