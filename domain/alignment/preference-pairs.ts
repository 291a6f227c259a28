import type { AnswerPair, ChatMessage } from './ports.ts'
import type { RoundScores } from './score-validators.ts'
import { QUESTIONS } from './verdicts.ts'

/** A line of the reward model's `pairs` channel. */
export type PreferencePair = {
  readonly id: string
  readonly messages: readonly ChatMessage[]
  readonly chosen: string
  readonly rejected: string
  /** 0 to 1: how sure the round is. */
  readonly weight: number
}

/** Below this the judgments do not say which answer is better, and a reward model would learn noise. */
const LEAST_MARGIN = 0.2

/**
 * Which answer of each pair the round prefers: the mean over the three questions of P(a better) - P(b better).
 * Pairs without a clear preference are left out.
 */
export function preferencePairs(scores: RoundScores, pairs: readonly AnswerPair[]): PreferencePair[] {
  const margins = new Map<string, number>()
  for (const { pairId, posteriorPpm } of scores.preferences) {
    const lean = (posteriorPpm.a - posteriorPpm.b) / 1_000_000 / QUESTIONS.length
    margins.set(pairId, (margins.get(pairId) ?? 0) + lean)
  }
  return pairs.flatMap(pair => {
    const margin = margins.get(pair.pairId) ?? 0
    if (Math.abs(margin) < LEAST_MARGIN) return []
    const [chosen, rejected] = margin > 0 ? [pair.a, pair.b] : [pair.b, pair.a]
    return [{ id: pair.pairId, messages: pair.messages, chosen, rejected, weight: Math.abs(margin) }]
  })
}
