import { routes } from '../../api/routes.ts'
import { requiredDatanet } from '../../domain/data/inspect-submission.ts'
import { parseBytes32 } from '../../domain/protocol/hex.ts'
import { deps } from '../deps.ts'
import { endpoint } from '../http/endpoint.ts'
import { viewDatanet } from './present-datanet.ts'

export const handler = endpoint(routes.getDatanet, async ({ params }) =>
  viewDatanet(await requiredDatanet(deps.datanets(), parseBytes32(params.id))),
)
