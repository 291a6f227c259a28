import { routes } from '../../api/routes.ts'
import { parseBytes32 } from '../../domain/protocol/hex.ts'
import { deps } from '../deps.ts'
import { endpoint } from '../http/endpoint.ts'
import { presentSubmission } from './present-submission.ts'

export const handler = endpoint(routes.listSubmissions, async ({ params, query, receivedAt }) => {
  const { items, cursor } = await deps.submissions().list(parseBytes32(params.id), query)
  return { items: items.map(submission => presentSubmission(submission, receivedAt)), cursor }
})
