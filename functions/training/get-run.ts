import { routes } from '../../api/routes.ts'
import { OpenLedgerError } from '../../domain/errors.ts'
import { parseBytes32 } from '../../domain/protocol/hex.ts'
import { deps } from '../deps.ts'
import { endpoint } from '../http/endpoint.ts'
import { iso } from '../http/presenters.ts'
import { presentRun } from './present-run.ts'

export const handler = endpoint(routes.getRun, async ({ params }) => {
  const run = await deps.runs().get(parseBytes32(params.id))
  if (run === null) throw new OpenLedgerError('not-found', 'There is no such run', { seen: params.id })
  const [states, metrics] = await Promise.all([
    deps.executedStates()(run.kind, run.execution),
    deps.trainingProgress()(run.checkpointPrefix),
  ])
  const steps = states.map(step => ({
    ...step,
    startedAt: iso(step.startedAt),
    endedAt: step.endedAt === null ? null : iso(step.endedAt),
    detail: {},
  }))
  return { ...presentRun(run), steps, metrics }
})
