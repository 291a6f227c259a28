import { randomBytes } from 'node:crypto'
import { alignInput } from '../../api/schemas/governance.ts'
import { askedValidators, openRound, roundIdOf } from '../../domain/alignment/open-round.ts'
import type { RoundPurpose } from '../../domain/alignment/ports.ts'
import { parseBytes32 } from '../../domain/protocol/hex.ts'
import { deps } from '../deps.ts'
import { logger } from '../http/endpoint.ts'
import { goldOf, pairsOfRound, type RoundJobs } from './round-pairs.ts'

type Event = { runId: string; purpose: RoundPurpose; input: unknown; jobs: RoundJobs; taskToken: string }

/** Opens a round of judging; the machine waits for `taskToken` until every task is judged or the time is over. */
export const handler = async (event: Event) => {
  const input = alignInput.parse(event.input)
  const runId = parseBytes32(event.runId)
  const { pairs } = await pairsOfRound(event.runId, event.purpose, event.jobs)
  const earlier =
    event.purpose === 'verification' ? await deps.rounds().get(roundIdOf(runId, 'preferences')) : null
  const round = await openRound(
    { rounds: deps.rounds() },
    {
      runId,
      purpose: event.purpose,
      pairs,
      gold: await goldOf(input.goldSet),
      validators: askedValidators(await deps.accounts().validators(), earlier, input.judgmentsPerPair),
      judgmentsPerPair: input.judgmentsPerPair,
      seconds: input.roundSeconds,
      taskToken: event.taskToken,
      seed: randomBytes(32).toString('hex'),
      now: Date.now(),
    },
  )
  logger.info('round.opened', { roundId: round.id, purpose: round.purpose, tasks: round.tasks })
  if (round.tasks === 0 || round.judged >= round.tasks) await deps.completeRound()(round)
}
