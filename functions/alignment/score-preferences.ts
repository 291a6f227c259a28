import { alignInput } from '../../api/schemas/governance.ts'
import { closeRound } from '../../domain/alignment/close-round.ts'
import { judgePreferences } from '../../domain/alignment/judge-round.ts'
import { roundIdOf } from '../../domain/alignment/open-round.ts'
import { preferencePairs } from '../../domain/alignment/preference-pairs.ts'
import { parseBytes32 } from '../../domain/protocol/hex.ts'
import { alignKeys } from '../../domain/training/plan-align.ts'
import { deps } from '../deps.ts'
import { logger } from '../http/endpoint.ts'
import { goldOf, pairsOfRound, type RoundJobs } from './round-pairs.ts'

/** Scores the first round and writes what it prefers as the reward model's training pairs. */
export const handler = async (event: { runId: string; input: unknown; jobs: RoundJobs }) => {
  const input = alignInput.parse(event.input)
  const roundId = roundIdOf(parseBytes32(event.runId), 'preferences')
  const { scores, judged, tasks, file } = await closeRound(
    { rounds: deps.rounds(), files: deps.publicFiles(), log: deps.log() },
    { roundId, gold: await goldOf(input.goldSet) },
  )
  const { pairs } = await pairsOfRound(event.runId, 'preferences', event.jobs)
  const preferred = preferencePairs(scores, pairs, input.targets)
  const lines = preferred.map(pair => `${JSON.stringify(pair)}\n`).join('')
  await deps
    .artifacts()
    .put(alignKeys(event.runId).pairs, new TextEncoder().encode(lines), 'application/x-ndjson')
  const decision = judgePreferences(scores, preferred.length)
  logger.info('round.scored', { roundId, judged, tasks, pairs: preferred.length, ...decision })
  return {
    roundId,
    judged,
    tasks,
    pairs: preferred.length,
    agreementPpm: scores.alphaPpm.all,
    file,
    ...decision,
  }
}
