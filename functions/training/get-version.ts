import { routes } from '../../api/routes.ts'
import { OpenLedgerError } from '../../domain/errors.ts'
import { parseBytes32 } from '../../domain/protocol/hex.ts'
import { deps } from '../deps.ts'
import { endpoint } from '../http/endpoint.ts'
import { iso } from '../http/presenters.ts'

export const handler = endpoint(routes.getVersion, async ({ params }) => {
  const version = await deps.versions().get(parseBytes32(params.id))
  if (version === null)
    throw new OpenLedgerError('not-found', 'There is no such version', { seen: params.id })
  return {
    id: version.id,
    lineage: version.lineage,
    createdAt: iso(version.createdAt),
    promoted: version.promoted,
    lineageFile: `versions/${version.id}.json`,
  }
})
