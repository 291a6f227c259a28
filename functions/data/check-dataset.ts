import { checkDataset } from '../../domain/data/check-dataset.ts'
import { parseBytes32, parseSha256Hex } from '../../domain/protocol/hex.ts'
import { deps } from '../deps.ts'

export const handler = (event: { datasetId: string; trainRoot: string }) =>
  checkDataset(
    { ...deps.frozenFacts(), datasets: deps.datasets() },
    { datasetId: parseBytes32(event.datasetId), trainRoot: parseSha256Hex(event.trainRoot) },
  )
