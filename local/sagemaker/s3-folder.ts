/** Moves folders between S3 and the disk the way that SageMaker's agent on an instance does. */
import { createReadStream, createWriteStream, mkdirSync, readFileSync, statSync } from 'node:fs'
import { readdir, stat } from 'node:fs/promises'
import { dirname, join, posix, relative, resolve, sep } from 'node:path'
import type { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import {
  GetObjectCommand,
  ListObjectsV2Command,
  type ListObjectsV2CommandOutput,
  PutObjectCommand,
  S3Client,
} from '@aws-sdk/client-s3'
import { type ObjectCache, openObjectCache } from './object-cache.ts'

/** Enough to keep the disk busy; more only makes the emulator's one process juggle. */
const PARALLEL_TRANSFERS = 4
/** Below this a file is sent from memory, which the SDK can send again by itself. */
const BUFFERED_UPLOAD_BYTES = 8 * 1024 * 1024
const UPLOAD_ATTEMPTS = 3

export type S3Place = { bucket: string; key: string }

/** `s3://bucket/some/key`; undefined for anything else. */
export function parseS3Uri(uri: string): S3Place | undefined {
  const match = /^s3:\/\/([^/]+)(?:\/(.*))?$/s.exec(uri)
  return match ? { bucket: match[1]!, key: match[2] ?? '' } : undefined
}

export type Objects = { s3: S3Client; cache: ObjectCache }

/** The local S3, whose credentials nobody checks, with large objects kept in `cacheFolder`. */
export function openObjects(endpoint: string, region: string, cacheFolder: string): Objects {
  const s3 = new S3Client({
    endpoint,
    region,
    forcePathStyle: true,
    credentials: { accessKeyId: 'local', secretAccessKey: 'local' },
    // A job may resume while the emulator is still coming up.
    maxAttempts: 8,
    // Trailing checksums would make each upload chunked, which costs time and protects nothing on loopback.
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
  })
  return { s3, cache: openObjectCache(cacheFolder) }
}

/** An S3 place that holds nothing where something was promised. */
export class NothingThere extends Error {}

/**
 * Downloads every object whose key starts with the URI's key (S3Prefix). Below `prefix/` the rest of the key
 * is the file's path; a key that only starts with the same letters keeps its last part.
 * Throws NothingThere when no object matches.
 */
export async function downloadPrefix(
  objects: Objects,
  uri: string,
  folder: string,
  signal: AbortSignal,
): Promise<{ files: number; sizeBytes: number }> {
  const { bucket, key: prefix } = mustParse(uri)
  const found: { key: string; sizeBytes: number; etag: string | undefined }[] = []
  let token: string | undefined
  do {
    const page: ListObjectsV2CommandOutput = await objects.s3.send(
      new ListObjectsV2Command({ Bucket: bucket, Prefix: prefix, ContinuationToken: token }),
      { abortSignal: signal },
    )
    for (const item of page.Contents ?? [])
      if (item.Key && !item.Key.endsWith('/'))
        found.push({ key: item.Key, sizeBytes: item.Size ?? 0, etag: item.ETag })
    token = page.NextContinuationToken
  } while (token)
  if (found.length === 0) throw new NothingThere(`No S3 objects found under S3 URL "${uri}"`)

  const base = prefix.endsWith('/') ? prefix : `${prefix}/`
  const parent = prefix.slice(0, prefix.lastIndexOf('/') + 1)
  mkdirSync(folder, { recursive: true })
  await inParallel(found, async ({ key, sizeBytes, etag }) => {
    const path = key.startsWith(base) ? key.slice(base.length) : key.slice(parent.length)
    const file = inside(folder, path)
    mkdirSync(dirname(file), { recursive: true })
    if (!(await objects.cache.copyTo(etag, sizeBytes, file)))
      await downloadObject(objects, { bucket, key }, file, signal)
  })
  return { files: found.length, sizeBytes: found.reduce((sum, item) => sum + item.sizeBytes, 0) }
}

/** Downloads one object to one file. */
export async function downloadObject(
  objects: Objects,
  place: S3Place,
  file: string,
  signal: AbortSignal,
): Promise<void> {
  const answer = await objects.s3.send(new GetObjectCommand({ Bucket: place.bucket, Key: place.key }), {
    abortSignal: signal,
  })
  mkdirSync(dirname(file), { recursive: true })
  await pipeline(answer.Body as Readable, createWriteStream(file), { signal })
  const sizeBytes = statSync(file).size
  if (answer.ContentLength !== undefined && sizeBytes !== answer.ContentLength)
    throw new Error(`s3://${place.bucket}/${place.key}: ${sizeBytes} of ${answer.ContentLength} bytes came`)
  await objects.cache.keep(answer.ETag, file)
}

/** Uploads every file of `folder` under the URI's key, keeping relative paths. */
export async function uploadFolder(
  objects: Objects,
  folder: string,
  uri: string,
  signal: AbortSignal,
): Promise<void> {
  await inParallel(await filesOf(folder), file =>
    uploadFile(objects, file.path, keyOf(uri, folder, file.path), signal),
  )
}

/** Uploads one file. */
export async function uploadFile(
  objects: Objects,
  file: string,
  place: S3Place,
  signal?: AbortSignal,
): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    try {
      const sizeBytes = statSync(file).size
      const body = sizeBytes <= BUFFERED_UPLOAD_BYTES ? readFileSync(file) : createReadStream(file)
      const answer = await objects.s3.send(
        new PutObjectCommand({
          Bucket: place.bucket,
          Key: place.key,
          Body: body,
          ContentLength: Buffer.isBuffer(body) ? body.length : sizeBytes,
        }),
        signal ? { abortSignal: signal } : {},
      )
      await objects.cache.keep(answer.ETag, file)
      return
    } catch (error) {
      if (attempt === UPLOAD_ATTEMPTS || signal?.aborted) throw error
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') throw error
    }
  }
}

export type FolderSync = {
  /** Takes the files there are now as already in S3. */
  markSynced(): Promise<void>
  /** Uploads what is new or changed since the last time; nothing is ever deleted in S3. */
  sync(): Promise<{ uploaded: number }>
}

/**
 * Keeps a checkpoint prefix up with a folder. Like SageMaker's, it knows nothing of whole checkpoints: what
 * is half-written when the instance dies is half in S3. Files go in the order of their last change, so that
 * a marker written last arrives last.
 */
export function createFolderSync(objects: Objects, folder: string, uri: string): FolderSync {
  const synced = new Map<string, string>()
  const versionOf = (file: FolderFile) => `${file.sizeBytes} ${file.changedAt}`
  let running: Promise<{ uploaded: number }> = Promise.resolve({ uploaded: 0 })
  async function syncOnce() {
    let uploaded = 0
    const files = (await filesOf(folder)).sort((a, b) => a.changedAt - b.changedAt)
    for (const file of files) {
      const version = versionOf(file)
      if (synced.get(file.path) === version) continue
      try {
        await uploadFile(objects, file.path, keyOf(uri, folder, file.path))
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code === 'ENOENT') continue // renamed or deleted meanwhile
        throw error
      }
      synced.set(file.path, version)
      uploaded++
    }
    return { uploaded }
  }
  return {
    async markSynced() {
      for (const file of await filesOf(folder)) synced.set(file.path, versionOf(file))
    },
    sync() {
      // One round at a time, and a call during a round still sees all that was there when it was made.
      running = running.then(syncOnce, syncOnce)
      return running
    },
  }
}

type FolderFile = { path: string; sizeBytes: number; changedAt: number }

/** Every regular file below `folder`, which need not exist. Links are not followed. */
async function filesOf(folder: string): Promise<FolderFile[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true }).catch(
    (error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return []
      throw error
    },
  )
  const files: FolderFile[] = []
  for (const entry of entries) {
    if (!entry.isFile()) continue
    const path = join(entry.parentPath, entry.name)
    const facts = await stat(path).catch(() => undefined) // gone since the folder was read
    if (facts) files.push({ path, sizeBytes: facts.size, changedAt: facts.mtimeMs })
  }
  return files
}

function keyOf(uri: string, folder: string, file: string): S3Place {
  const { bucket, key } = mustParse(uri)
  return { bucket, key: posix.join(key, relative(folder, file).split(sep).join('/')) }
}

function mustParse(uri: string): S3Place {
  const place = parseS3Uri(uri)
  if (!place) throw new Error(`Not an S3 URI: ${uri}`)
  return place
}

/** S3 keys may hold `..`: such a key must not be written outside of its folder. */
function inside(folder: string, path: string): string {
  const file = resolve(folder, path)
  if (!file.startsWith(resolve(folder) + sep)) throw new Error(`The S3 key leaves its folder: ${path}`)
  return file
}

async function inParallel<T>(items: readonly T[], work: (item: T) => Promise<void>): Promise<void> {
  const waiting = [...items]
  await Promise.all(
    Array.from({ length: Math.min(PARALLEL_TRANSFERS, items.length) }, async () => {
      for (let item = waiting.shift(); item !== undefined; item = waiting.shift()) await work(item)
    }),
  )
}
