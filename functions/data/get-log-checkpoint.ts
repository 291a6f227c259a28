import { routes } from '../../api/routes.ts'
import { OpenLedgerError } from '../../domain/errors.ts'
import { parseCheckpoint, parseNote } from '../../domain/protocol/signed-note.ts'
import { deps } from '../deps.ts'
import { endpoint } from '../http/endpoint.ts'

export const handler = endpoint(routes.getLogCheckpoint, async () => {
  const published = await deps.logBook().published()
  if (published === null) throw new OpenLedgerError('unavailable', 'No head of the log was signed yet')
  const { origin, size, root } = parseCheckpoint(parseNote(published.note).text)
  return { origin, size, root: Buffer.from(root).toString('base64'), checkpoint: published.note }
})
