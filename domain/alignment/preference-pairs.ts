import type { AnswerPair, ChatMessage } from './ports.ts'
import type { RoundScores } from './score-validators.ts'
import type { Question } from './verdicts.ts'

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
 * Which answer of each pair the round prefers: the mean of P(a better) - P(b better) over the questions that the
 * vote named as targets. The others are guards of the gate: a reward that mixed them in would hardly be learned
 * from, where judges say what a model of this size cannot see. Pairs without a clear preference are left out.
 */
export function preferencePairs(
  scores: RoundScores,
  pairs: readonly AnswerPair[],
  targets: readonly Question[],
): PreferencePair[] {
  const margins = new Map<string, number>()
  for (const { pairId, question, posteriorPpm } of scores.preferences) {
    if (!targets.includes(question)) continue
    const lean = (posteriorPpm.a - posteriorPpm.b) / 1_000_000 / targets.length
    margins.set(pairId, (margins.get(pairId) ?? 0) + lean)
  }
  return pairs.flatMap(pair => {
    const margin = margins.get(pair.pairId) ?? 0
    if (Math.abs(margin) < LEAST_MARGIN) return []
    const [chosen, rejected] = margin > 0 ? [pair.a, pair.b] : [pair.b, pair.a]
    return [{ id: pair.pairId, messages: pair.messages, chosen, rejected, weight: Math.abs(margin) }]
  })
}
