import { releaseInput } from '../../api/schemas/governance.ts'
import { OpenLedgerError } from '../../domain/errors.ts'
import { parseBytes32 } from '../../domain/protocol/hex.ts'
import { moveAlias } from '../../domain/serving/move-alias.ts'
import { deps } from '../deps.ts'
import { logger } from '../http/endpoint.ts'

type Event = { warrantId: string; input: unknown; endpoint: string; component: string; modelProfile: string }

export const handler = async (event: Event) => {
  const input = releaseInput.parse(event.input)
  const datanet = await deps.datanets().get(parseBytes32(input.datanetId))
  if (datanet === null)
    throw new OpenLedgerError('not-found', 'There is no such Datanet', { seen: input.datanetId })
  const alias = await moveAlias(
    { aliases: deps.aliases(), log: deps.log() },
    {
      alias: input.alias,
      datanetId: datanet.id,
      systemPrompt: datanet.terms.systemPrompt,
      to: {
        version: parseBytes32(input.version),
        endpoint: event.endpoint,
        component: event.component,
        modelProfile: event.modelProfile,
        movedAt: Date.now(),
        warrantId: parseBytes32(event.warrantId),
      },
    },
  )
  logger.info('alias.moved', {
    alias: alias.alias,
    version: alias.current.version,
    generation: alias.generation,
  })
  return {
    alias: alias.alias,
    version: alias.current.version,
    previous: alias.previous?.version ?? null,
    retired: alias.retired,
  }
}
