import { routes } from '../../api/routes.ts'
import { freezeDatanet } from '../../domain/data/freeze-datanet.ts'
import { parseBytes32 } from '../../domain/protocol/hex.ts'
import { worstCaseCostUsdMicro } from '../../domain/training/training-job.ts'
import { deps } from '../deps.ts'
import { endpoint, logger } from '../http/endpoint.ts'
import { presentDataset } from './present-dataset.ts'

/** A fine-tune trains, evaluates and measures the baselines. */
const FINE_TUNE_JOBS = 3

export const handler = endpoint(routes.freezeDatanet, async ({ params, receivedAt }) => {
  const dataset = await freezeDatanet(
    {
      ...deps.frozenFacts(),
      datasets: deps.datasets(),
      files: deps.publicFiles(),
      log: deps.log(),
      estimateCostUsdMicro: terms =>
        worstCaseCostUsdMicro(deps.modelProfile(terms.modelProfile), FINE_TUNE_JOBS),
    },
    { datanetId: parseBytes32(params.id), now: receivedAt },
  )
  const { datanetId, logSize, trainRecords } = dataset.manifest
  logger.info('dataset.frozen', { datasetId: dataset.id, datanetId, logSize, trainRecords })
  return presentDataset(dataset)
})
