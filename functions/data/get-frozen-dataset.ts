import { routes } from '../../api/routes.ts'
import { OpenLedgerError } from '../../domain/errors.ts'
import { parseBytes32 } from '../../domain/protocol/hex.ts'
import { deps } from '../deps.ts'
import { endpoint } from '../http/endpoint.ts'
import { presentDataset } from './present-dataset.ts'

export const handler = endpoint(routes.getFrozenDataset, async ({ params }) => {
  const dataset = await deps.datasets().get(parseBytes32(params.id))
  if (dataset === null)
    throw new OpenLedgerError('not-found', 'There is no such frozen dataset', { seen: params.id })
  return presentDataset(dataset)
})
