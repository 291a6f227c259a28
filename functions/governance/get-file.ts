import { routes } from '../../api/routes.ts'
import { OpenLedgerError } from '../../domain/errors.ts'
import { deps } from '../deps.ts'
import { endpoint, Redirect } from '../http/endpoint.ts'

export const handler = endpoint(routes.getFile, async ({ params }) => {
  if (!(await deps.publicFiles().exists(params.key))) {
    throw new OpenLedgerError('not-found', 'There is no such public file', { seen: params.key })
  }
  return new Redirect(await deps.publicFiles().locate(params.key))
})
