import {
  pairsBetween,
  pairsWithin,
  parseAnswers,
  parseGoldPairs,
  parsePrompts,
} from '../../domain/alignment/answer-pairs.ts'
import type { AnswerPair, RoundPurpose } from '../../domain/alignment/ports.ts'
import { alignKeys } from '../../domain/training/plan-align.ts'
import { deps } from '../deps.ts'

/** Names of the jobs whose answers are judged. */
export type RoundJobs = { sample?: string; parent?: string; candidate?: string }

export async function goldOf(goldSet: string): Promise<AnswerPair[]> {
  const key = `sealed/${goldSet}.jsonl`
  return parseGoldPairs(await deps.artifacts().get(key), key)
}

/** The pairs of a round: the parent's own answers, or the parent's beside the candidate's on other prompts. */
export async function pairsOfRound(
  runId: string,
  purpose: RoundPurpose,
  jobs: RoundJobs,
): Promise<{ pairs: AnswerPair[]; equal: AnswerPair[] }> {
  const keys = alignKeys(runId)
  const answers = async (job: string | undefined) => {
    const key = `runs/${runId}/${job}/output/model/answers.jsonl`
    return parseAnswers(await deps.artifacts().get(key), key)
  }
  const promptKey = purpose === 'preferences' ? keys.firstPrompts : keys.secondPrompts
  const prompts = parsePrompts(await deps.artifacts().get(promptKey), promptKey)
  if (purpose === 'preferences') return { pairs: pairsWithin(prompts, await answers(jobs.sample)), equal: [] }
  return pairsBetween(prompts, await answers(jobs.parent), await answers(jobs.candidate))
}
