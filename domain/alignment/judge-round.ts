import type { RoundScores } from './score-validators.ts'

/** Krippendorff calls data below two thirds not dependable; judging answers is softer, and gold guards it too. */
export const LEAST_AGREEMENT_PPM = 200_000
/** Fewer kept validators than this is one person's taste. */
const LEAST_KEPT = 2
/** Fewer pairs do not leave a quarter to test a reward model on. */
const LEAST_PAIRS = 8

/** Whether a round of preferences may teach a reward model; `reason` says why not. */
export function judgePreferences(scores: RoundScores, pairs: number): { teachable: boolean; reason: string } {
  const kept = scores.validators.filter(validator => validator.standing === 'kept').length
  if (kept < LEAST_KEPT)
    return { teachable: false, reason: `not-aligned: ${kept} validators stand above chance` }
  const alpha = scores.alphaPpm.all
  if (alpha === null || alpha < LEAST_AGREEMENT_PPM) {
    return { teachable: false, reason: `not-aligned: weak-agreement (${alpha ?? 'undefined'} ppm)` }
  }
  if (pairs < LEAST_PAIRS) return { teachable: false, reason: `not-aligned: only ${pairs} clear preferences` }
  return { teachable: true, reason: 'validators agree' }
}
