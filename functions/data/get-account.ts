import { routes } from '../../api/routes.ts'
import { parseAddress } from '../../domain/protocol/hex.ts'
import { endpoint } from '../http/endpoint.ts'
import { viewAccount } from './present-account.ts'

export const handler = endpoint(routes.getAccount, ({ params }) => viewAccount(parseAddress(params.address)))
