import { createReadStream, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { HeadObjectCommand, NotFound, PutObjectCommand, type S3Client } from '@aws-sdk/client-s3'
import { Upload } from '@aws-sdk/lib-storage'
import { canonicalBytes } from '../../domain/protocol/canonical-json.ts'
import { documentDigest, sha256Hex } from '../../domain/protocol/ids.ts'
import { modelManifest } from './base-model.ts'
import { codeArchive } from './code-archive.ts'

export type ImportedArtifacts = {
  /** SHA-256 digests: what proposals and Datanets name. */
  readonly baseModel: string
  readonly code: string
  readonly recipe: string
  readonly sets: Readonly<Record<string, string>>
}

export type ImportOptions = {
  readonly bucket: string
  readonly modelFolder: string
  readonly trainingFolder: string
  /** `training/recipes/<profile>.json`. */
  readonly recipeFile: string
  /** Evaluation, usefulness and example sets by name, each as the JSONL that is hashed. */
  readonly sets: Readonly<Record<string, string>>
  readonly onProgress?: (line: string) => void
}

/**
 * Brings what a training job reads into the artifact bucket, under names that are digests of the bytes. What is
 * there already is left alone, so a repeated or broken-off import goes on where it was.
 */
export async function importArtifacts(s3: S3Client, options: ImportOptions): Promise<ImportedArtifacts> {
  const { bucket, onProgress = () => undefined } = options
  const exists = async (Key: string) => {
    try {
      await s3.send(new HeadObjectCommand({ Bucket: bucket, Key }))
      return true
    } catch (error) {
      if (error instanceof NotFound) return false
      throw error
    }
  }
  const put = async (key: string, bytes: Uint8Array, contentType: string) => {
    if (await exists(key)) return
    onProgress(`${key} (${bytes.byteLength} bytes)`)
    await s3.send(new PutObjectCommand({ Bucket: bucket, Key: key, Body: bytes, ContentType: contentType }))
  }

  // First, since it may not be there: then nothing is brought.
  const model = await modelManifest(options.modelFolder)
  const code = await codeArchive(options.trainingFolder)
  await put(`code/${code.sha256}.tar.gz`, code.bytes, 'application/gzip')

  const recipe = recipeDocument(options.recipeFile, code.sha256)
  const recipeDigest = documentDigest(recipe)
  await put(`recipes/${recipeDigest}.json`, canonicalBytes(recipe), 'application/json')

  const sets: Record<string, string> = {}
  for (const [name, jsonl] of Object.entries(options.sets)) {
    const digest = sha256Hex(jsonl)
    await put(`sealed/${digest}.jsonl`, new TextEncoder().encode(jsonl), 'application/x-ndjson')
    sets[name] = digest
  }

  const prefix = `base-models/${model.digest}`
  // The manifest goes last: where it is, everything is.
  if (!(await exists(`${prefix}/manifest.json`))) {
    for (const file of model.files) {
      onProgress(`${prefix}/${file.path} (${Math.ceil(file.sizeBytes / 1_000_000)} MB)`)
      const Body = createReadStream(join(options.modelFolder, file.path))
      await new Upload({ client: s3, params: { Bucket: bucket, Key: `${prefix}/${file.path}`, Body } }).done()
    }
    await put(`${prefix}/manifest.json`, canonicalBytes({ files: model.files }), 'application/json')
  }
  return { baseModel: model.digest, code: code.sha256, recipe: recipeDigest, sets }
}

/** The published recipe: what `domain/training/recipe.ts` reads, bound to the code that it was written for. */
function recipeDocument(file: string, code: string) {
  const { measured: _, profile, ...jobs } = JSON.parse(readFileSync(file, 'utf8')) as Record<string, unknown>
  return { schema: 1, profile, code, wheels: null, jobs }
}
