import type { FrozenDatasetView } from '../../api/schemas/data.ts'
import { toEntry } from '../../domain/data/append-leaves.ts'
import { hashListKey, manifestKey } from '../../domain/data/freeze-datanet.ts'
import { frozenDatasetLeaf } from '../../domain/data/leaves.ts'
import type { FrozenDatasetRecord } from '../../domain/data/ports.ts'
import { iso } from '../http/presenters.ts'

export function presentDataset(dataset: FrozenDatasetRecord): FrozenDatasetView {
  const { id, manifest, frozenAt, logIndex } = dataset
  return {
    id,
    frozenAt: iso(frozenAt),
    logIndex,
    manifest: { ...manifest, contributors: { ...manifest.contributors } },
    proof: `/v1/log/proof?leaf=${toEntry(frozenDatasetLeaf(dataset)).leafHash}`,
    files: {
      manifest: manifestKey(id),
      trainHashes: hashListKey(id, 'train'),
      devHashes: hashListKey(id, 'dev'),
    },
  }
}
