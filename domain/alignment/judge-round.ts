import type { AlignInput } from '../../api/schemas/governance.ts'
import {
  type AgreementDecision,
  aggregateRound,
  agreementGate,
  type RoundDecision,
} from './aggregate-round.ts'
import type { AnswerPair } from './ports.ts'
import type { AggregatedPreference, RoundScores } from './score-validators.ts'
import { type Choice, QUESTIONS } from './verdicts.ts'

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
 * count as ties without a judge. A pair of which the scoring keeps no judgment, because it was not judged in time or
 * only by validators whose word does not count, is the parent's: who holds judgments back helps no candidate.
 */
export function judgeCandidate(
  rule: AlignInput,
  scores: RoundScores,
  answers: { pairs: readonly AnswerPair[]; equal: readonly AnswerPair[] },
): { promoted: boolean; reason: string; decision: RoundDecision } {
  const judged = new Set(scores.preferences.map(preference => preference.pairId))
  const unjudged = answers.pairs.filter(pair => !judged.has(pair.pairId))
  const pairs = [...answers.pairs, ...answers.equal].map(({ pairId }) => ({
    pairId,
    promptId: pairId,
    candidate: 'b' as const,
  }))
  const preferences = [
    ...scores.preferences,
    ...unjudged.flatMap(pair => certainly(pair, 'a')),
    ...answers.equal.flatMap(pair => certainly(pair, 'tie')),
  ]
  const decision = aggregateRound(
    pairs,
    { ...scores, preferences },
    { targets: rule.targets, guardMarginPpm: rule.gate.guardMarginPpm, ...LEAST_AGREEMENT },
  )
  return { promoted: decision.promoted, reason: reasonOf(decision, unjudged.length), decision }
}

const certainly = ({ pairId }: AnswerPair, choice: Choice): AggregatedPreference[] =>
  QUESTIONS.map(question => ({
    pairId,
    question,
    choice,
    posteriorPpm: { a: 0, b: 0, tie: 0, [choice]: 1_000_000 },
  }))

function reasonOf(decision: RoundDecision, unjudged: number): string {
  if (!decision.agreement.passed) return disagreement(decision.agreement)
  const lost = QUESTIONS.filter(question => !decision.questions[question].passed)
  return lost.length === 0
    ? 'the second round prefers the candidate'
    : `not-aligned: no win by ${lost.join(', ')}${unjudged > 0 ? `; ${unjudged} pairs without a judgment that counts went to the parent` : ''}`
}

function disagreement({ keptValidators, alphaPpm }: AgreementDecision): string {
  return `not-aligned: weak-agreement (${keptValidators} validators kept, alpha ${alphaPpm ?? 'undefined'} ppm)`
}
