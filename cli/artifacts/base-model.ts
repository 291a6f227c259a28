import { createHash } from 'node:crypto'
import { createReadStream, readdirSync, statSync } from 'node:fs'
import { join, relative } from 'node:path'
import { documentDigest } from '../../domain/protocol/ids.ts'

export type ModelFile = { path: string; sizeBytes: number; sha256: string }

/**
 * The files of a model folder with their digests, and the digest that names the model: SHA-256 of the
 * canonical manifest. `manifest.json` is not part of it.
 */
export async function modelManifest(folder: string): Promise<{ digest: string; files: ModelFile[] }> {
  const files: ModelFile[] = []
  for (const path of filesUnder(folder)) {
    const hash = createHash('sha256')
    for await (const chunk of createReadStream(join(folder, path))) hash.update(chunk as Uint8Array)
    files.push({ path, sizeBytes: statSync(join(folder, path)).size, sha256: hash.digest('hex') })
  }
  return { digest: documentDigest({ files }), files }
}

function filesUnder(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter(entry => entry.isFile())
    .map(entry => relative(folder, join(entry.parentPath, entry.name)))
    .filter(path => path !== 'manifest.json')
    .sort()
}
