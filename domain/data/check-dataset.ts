import { OpenLedgerError } from '../errors.ts'
import type { Address, Bytes32, Sha256Hex } from '../protocol/hex.ts'
import { documentId, sha256Hex } from '../protocol/ids.ts'
import { buildParts, devKey, type FrozenFacts, type Parts, sourcesOf, trainKey } from './freeze-datanet.ts'
import { requiredDatanet } from './inspect-submission.ts'
import type { DatasetBook } from './ports.ts'

export type CheckedDataset = {
  readonly ok: true
  readonly trainKey: string
  readonly records: number
  readonly contributors: Readonly<Record<Address, number>>
}

/**
 * Makes a frozen dataset again from the accepted records and compares: the id with the manifest, the roots with
 * those that were voted, and the stored parts, byte by byte, with what the records give.
 * @throws OpenLedgerError not-found; dataset-changed
 */
export async function checkDataset(
  deps: FrozenFacts & { readonly datasets: DatasetBook },
  input: { datasetId: Bytes32; trainRoot: Sha256Hex },
): Promise<CheckedDataset> {
  const dataset = await deps.datasets.get(input.datasetId)
  if (dataset === null)
    throw new OpenLedgerError('not-found', 'There is no such frozen dataset', { seen: input.datasetId })
  const { manifest } = dataset
  requireSame('id of the manifest', input.datasetId, documentId(manifest))
  requireSame('train root', input.trainRoot, manifest.trainRoot)
  const datanet = await requiredDatanet(deps.datanets, manifest.datanetId)
  const parts = await buildParts(deps, datanet, await sourcesOf(deps, datanet, manifest.logSize))
  requireSame('train root', manifest.trainRoot, parts.frozen.train.root)
  requireSame('dev root', manifest.devRoot, parts.frozen.dev.root)
  await requireStored(deps, input.datasetId, parts)
  return {
    ok: true,
    trainKey: trainKey(input.datasetId),
    records: manifest.trainRecords,
    contributors: manifest.contributors,
  }
}

async function requireStored(deps: Pick<FrozenFacts, 'data'>, id: Bytes32, parts: Parts) {
  const stored = [
    { key: trainKey(id), bytes: parts.train },
    { key: devKey(id), bytes: parts.dev },
  ]
  for (const { key, bytes } of stored) {
    const there = await deps.data.get(key)
    requireSame(key, sha256Hex(bytes), there === null ? 'nothing' : sha256Hex(there))
  }
}

function requireSame(what: string, expected: string, seen: string) {
  if (expected === seen) return
  throw new OpenLedgerError('dataset-changed', `The frozen dataset is not the one that was voted: ${what}`, {
    expected,
    seen,
  })
}
