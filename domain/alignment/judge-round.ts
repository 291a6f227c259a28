import type { AlignInput } from '../../api/schemas/governance.ts'
import {
  type AgreementDecision,
  aggregateRound,
  agreementGate,
  type RoundDecision,
} from './aggregate-round.ts'
import type { AnswerPair } from './ports.ts'
import type { AggregatedPreference, RoundScores } from './score-validators.ts'
import { QUESTIONS } from './verdicts.ts'

/** Krippendorff calls alpha below two thirds not dependable; judging answers is softer, and gold guards it too. */
const LEAST_AGREEMENT = { minAlphaPpm: 200_000, minKeptValidators: 2 }
/** Fewer pairs do not leave a quarter to test a reward model on. */
const LEAST_PAIRS = 8

/** Whether a round of preferences may teach a reward model; `reason` says why not. */
export function judgePreferences(scores: RoundScores, pairs: number): { teachable: boolean; reason: string } {
  const agreement = agreementGate(scores, LEAST_AGREEMENT)
  if (!agreement.passed) return { teachable: false, reason: disagreement(agreement) }
  if (pairs < LEAST_PAIRS) return { teachable: false, reason: `not-aligned: only ${pairs} clear preferences` }
  return { teachable: true, reason: 'the validators agree' }
}

/**
 * The second round: the parent's answers are side a, the candidate's side b. Prompts that both answered alike
 * count as ties without a judge; a pair that nobody judged in time keeps the parent.
 */
export function judgeCandidate(
  rule: AlignInput,
  scores: RoundScores,
  answers: { pairs: readonly AnswerPair[]; equal: readonly AnswerPair[] },
): { promoted: boolean; reason: string; decision: RoundDecision | null } {
  const judged = new Set(scores.preferences.map(preference => preference.pairId))
  const missing = answers.pairs.filter(pair => !judged.has(pair.pairId)).length
  if (missing > 0) {
    return {
      promoted: false,
      reason: `not-aligned: ${missing} pairs were not judged in time`,
      decision: null,
    }
  }
  const pairs = [...answers.pairs, ...answers.equal].map(({ pairId }) => ({
    pairId,
    promptId: pairId,
    candidate: 'b' as const,
  }))
  const preferences = [...scores.preferences, ...answers.equal.flatMap(tied)]
  const decision = aggregateRound(
    pairs,
    { ...scores, preferences },
    { targets: rule.targets, guardMarginPpm: rule.gate.guardMarginPpm, ...LEAST_AGREEMENT },
  )
  return { promoted: decision.promoted, reason: reasonOf(decision), decision }
}

const tied = ({ pairId }: AnswerPair): AggregatedPreference[] =>
  QUESTIONS.map(question => ({
    pairId,
    question,
    choice: 'tie',
    posteriorPpm: { a: 0, b: 0, tie: 1_000_000 },
  }))

function reasonOf(decision: RoundDecision): string {
  if (!decision.agreement.passed) return disagreement(decision.agreement)
  const lost = QUESTIONS.filter(question => !decision.questions[question].passed)
  return lost.length === 0
    ? 'the second round prefers the candidate'
    : `not-aligned: no win by ${lost.join(', ')}`
}

function disagreement({ keptValidators, alphaPpm }: AgreementDecision): string {
  return `not-aligned: weak-agreement (${keptValidators} validators kept, alpha ${alphaPpm ?? 'undefined'} ppm)`
}
