import { routes } from '../../api/routes.ts'
import { proveConsistency } from '../../domain/data/prove-leaf.ts'
import { deps } from '../deps.ts'
import { endpoint } from '../http/endpoint.ts'

export const handler = endpoint(routes.getLogConsistency, async ({ query: { first, second } }) => ({
  first,
  second,
  proof: await proveConsistency({ log: deps.logBook(), files: deps.publicFiles() }, first, second),
}))
