import type { Run } from '../../domain/training/ports.ts'
import { iso } from '../http/presenters.ts'

export function presentRun(run: Run) {
  return {
    id: run.id,
    kind: run.kind,
    proposalId: run.proposalId,
    warrantId: run.warrantId,
    attempt: run.attempt,
    state: run.state,
    startedAt: iso(run.startedAt),
    endedAt: run.endedAt === null ? null : iso(run.endedAt),
    failure: run.failure,
    output: run.output,
  }
}
