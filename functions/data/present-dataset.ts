import type { FrozenDatasetView } from '../../api/schemas/data.ts'
import { hashListKey, manifestKey } from '../../domain/data/freeze-datanet.ts'
import type { FrozenDatasetRecord } from '../../domain/data/ports.ts'
import { iso } from '../http/presenters.ts'

export function presentDataset({ id, manifest, frozenAt, logIndex }: FrozenDatasetRecord): FrozenDatasetView {
  return {
    id,
    frozenAt: iso(frozenAt),
    logIndex,
    manifest: { ...manifest, contributors: { ...manifest.contributors } },
    files: {
      manifest: manifestKey(id),
      trainHashes: hashListKey(id, 'train'),
      devHashes: hashListKey(id, 'dev'),
    },
  }
}
