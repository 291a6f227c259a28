import type { Lineage } from '../../api/schemas/training.ts'
import { OpenLedgerError } from '../errors.ts'
import type { PublicFiles } from '../governance/ports.ts'
import { canonicalBytes } from '../protocol/canonical-json.ts'
import { documentId } from '../protocol/ids.ts'
import type { AttributionLog, Version, VersionBook } from './ports.ts'

export type TreeDigest = {
  readonly digest: string
  readonly manifest: { readonly files: readonly { readonly path: string; readonly sha256: string }[] }
}

/** The digest of one file of a tree. @throws OpenLedgerError not-found */
export function fileDigest(tree: TreeDigest, path: string): string {
  const file = tree.manifest.files.find(one => one.path === path)
  if (file === undefined) {
    throw new OpenLedgerError('not-found', 'The job left no such file', {
      expected: path,
      seen: tree.manifest.files.map(one => one.path).join(', '),
    })
  }
  return file.sha256
}

/**
 * Registers a version under the hash of its lineage, publishes the lineage and logs a leaf. The same lineage
 * again is the same version.
 */
export async function registerVersion(
  deps: { versions: VersionBook; files: Pick<PublicFiles, 'put'>; log: AttributionLog },
  input: { lineage: Lineage; promoted: boolean; now: number },
): Promise<Version> {
  const { lineage, promoted } = input
  const id = documentId(lineage)
  await deps.files.put(`versions/${id}.json`, canonicalBytes(lineage), 'application/json')
  await deps.log.append({
    kind: 'version',
    versionId: id,
    datanetId: lineage.datanetId,
    warrantId: lineage.warrantId,
    promoted,
  })
  return deps.versions.keep({ id, lineage, createdAt: input.now, promoted })
}
