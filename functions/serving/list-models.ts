import { routes } from '../../api/routes.ts'
import { deps } from '../deps.ts'
import { endpoint } from '../http/endpoint.ts'

export const handler = endpoint(routes.listModels, async () => {
  const aliases = await deps.aliases().list()
  return {
    object: 'list' as const,
    data: aliases.map(({ alias, datanetId, current, previous }) => ({
      id: alias,
      object: 'model' as const,
      created: Math.floor(current.movedAt / 1_000),
      owned_by: datanetId,
      version: current.version,
      previous_version: previous?.version ?? null,
    })),
  }
})
