import type { Round } from '../../domain/alignment/ports.ts'
import { RUBRIC } from '../../domain/alignment/rubric.ts'
import { iso } from '../http/presenters.ts'

/** A round for everybody: nothing that tells sides, gold or the seed while it is open. */
export function presentRound(round: Round) {
  return {
    id: round.id,
    runId: round.runId,
    purpose: round.purpose,
    state: round.state,
    opensAt: iso(round.opensAt),
    closesAt: iso(round.closesAt),
    tasks: round.tasks,
    judged: round.judged,
    validators: [...round.validators],
    rubric: RUBRIC,
    scores: round.scores === null ? null : [...round.scores.validators],
    agreementPpm: round.scores?.agreementPpm ?? null,
  }
}
