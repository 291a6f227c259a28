import { createHash } from 'node:crypto'
import { GetObjectCommand, ListObjectsV2Command, type S3Client } from '@aws-sdk/client-s3'
import { documentDigest } from '../../domain/protocol/ids.ts'

export type TreeManifest = { files: { path: string; sizeBytes: number; sha256: string }[] }

/**
 * Hashes every object under a prefix in a stream. The digest is that of the canonical manifest, the same one a
 * base model is named by; `manifest.json` itself is left out.
 */
export async function treeDigest(
  s3: S3Client,
  bucket: string,
  prefix: string,
): Promise<{ digest: string; manifest: TreeManifest }> {
  const keys = await keysUnder(s3, bucket, prefix)
  const files: TreeManifest['files'] = []
  for (const key of keys.filter(name => name !== `${prefix}manifest.json`)) {
    const { Body } = await s3.send(new GetObjectCommand({ Bucket: bucket, Key: key }))
    const hash = createHash('sha256')
    let sizeBytes = 0
    for await (const chunk of Body as AsyncIterable<Uint8Array>) {
      hash.update(chunk)
      sizeBytes += chunk.byteLength
    }
    files.push({ path: key.slice(prefix.length), sizeBytes, sha256: hash.digest('hex') })
  }
  files.sort((a, b) => (a.path < b.path ? -1 : 1))
  const manifest = { files }
  return { digest: documentDigest(manifest), manifest }
}

async function keysUnder(s3: S3Client, bucket: string, prefix: string): Promise<string[]> {
  const keys: string[] = []
  let token: string | undefined
  do {
    const page = await s3.send(
      new ListObjectsV2Command({
        Bucket: bucket,
        Prefix: prefix,
        ...(token === undefined ? {} : { ContinuationToken: token }),
      }),
    )
    for (const { Key } of page.Contents ?? []) if (Key !== undefined && !Key.endsWith('/')) keys.push(Key)
    token = page.NextContinuationToken
  } while (token !== undefined)
  return keys
}
