import { createHash } from 'node:crypto'
import { createReadStream, existsSync, readdirSync, statSync } from 'node:fs'
import { join, relative } from 'node:path'
import { OpenLedgerError } from '../../domain/errors.ts'
import { documentDigest } from '../../domain/protocol/ids.ts'

export type ModelFile = { path: string; sizeBytes: number; sha256: string }

/**
 * The files of a model folder with their digests, and the digest that names the model: SHA-256 of the
 * canonical manifest. `manifest.json` is not part of it. @throws OpenLedgerError not-found for a folder without files
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
  const entries = existsSync(folder) ? readdirSync(folder, { recursive: true, withFileTypes: true }) : []
  const files = entries
    .filter(entry => entry.isFile())
    .map(entry => relative(folder, join(entry.parentPath, entry.name)))
    .filter(path => path !== 'manifest.json')
    .sort()
  if (files.length > 0) return files
  throw new OpenLedgerError('not-found', `There are no model files in ${folder}`, {
    expected: 'a folder with the files of a model, such as model.safetensors',
    seen: entries.length === 0 ? 'no such folder, or an empty one' : 'no files of a model',
  })
}
