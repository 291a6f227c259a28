import { routes } from '../../api/routes.ts'
import { submitJudgment } from '../../domain/alignment/submit-judgment.ts'
import { parseBytes32 } from '../../domain/protocol/hex.ts'
import { deps } from '../deps.ts'
import { endpoint, logger } from '../http/endpoint.ts'

export const handler = endpoint(routes.submitJudgment, async ({ params, body, receivedAt }) => {
  const roundId = parseBytes32(params.id)
  const counted = await submitJudgment(
    { genesis: deps.genesis(), rounds: deps.rounds(), complete: deps.completeRound() },
    { ...body, roundId, receivedAt },
  )
  logger.info('judgment.recorded', { roundId, taskId: body.taskId, ...counted })
  return { roundId, taskId: body.taskId, ...counted }
})
