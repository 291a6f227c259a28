/**
 * The outcome of a blind round between a candidate and its parent: a win rate per question with its 95 %
 * interval, and whether the candidate goes on.
 *
 * A pair counts by its posterior: the probability that the candidate is better as a win, of a tie as half a
 * win. Pairs of one prompt are averaged first, since the prompt is what was drawn. With W and L the sums of
 * win and loss probabilities over n prompts, winRate = (1 + (W - L) / n) / 2, and its interval is that of the
 * paired difference (domain/training/gate.ts) with W and L as discordant counts. That is never narrower than
 * if the n true outcomes had been seen, so beliefs that lean on each other do not look like certainty.
 */
import { OpenLedgerError } from '../errors.ts'
import {
  type GateDecision,
  guardGate,
  type Interval,
  pairedDifferenceOfCounts,
  targetGate,
} from '../training/gate.ts'
import type { AggregatedPreference, RoundScores } from './score-validators.ts'
import { QUESTIONS, type Question, type Side } from './verdicts.ts'

const PPM = 1_000_000
const EVEN_PPM = 500_000

export type RoundPair = { readonly pairId: string; readonly promptId: string; readonly candidate: Side }

/** 500_000 is even; `n` counts prompts. */
export type WinRates = { readonly [question in Question]: Interval }

function winRate(
  question: Question,
  pairs: readonly RoundPair[],
  preferences: ReadonlyMap<string, AggregatedPreference>,
) {
  const prompts = new Map<string, { win: number; loss: number; pairs: number }>()
  for (const { pairId, promptId, candidate } of pairs) {
    const posterior = preferences.get(`${question}\n${pairId}`)?.posteriorPpm
    // Leaving out the pairs that nobody judged would let a round be cut to taste.
    if (posterior === undefined)
      throw new OpenLedgerError('malformed', 'a pair of the round has no judgment', {
        expected: `a preference by ${question}`,
        seen: pairId,
      })
    const prompt = prompts.get(promptId) ?? { win: 0, loss: 0, pairs: 0 }
    prompt.win += posterior[candidate]
    prompt.loss += posterior[candidate === 'a' ? 'b' : 'a']
    prompt.pairs++
    prompts.set(promptId, prompt)
  }
  let wins = 0
  let losses = 0
  for (const [, prompt] of [...prompts].sort(([left], [right]) => (left < right ? -1 : 1))) {
    wins += prompt.win / prompt.pairs / PPM
    losses += prompt.loss / prompt.pairs / PPM
  }
  const difference = pairedDifferenceOfCounts(wins, losses, prompts.size)
  return {
    valuePpm: Math.floor((PPM + difference.valuePpm) / 2),
    lowPpm: Math.floor((PPM + difference.lowPpm) / 2),
    highPpm: Math.ceil((PPM + difference.highPpm) / 2),
    n: prompts.size,
  }
}

/**
 * Win rate of the candidate against its parent by each question.
 * @throws OpenLedgerError malformed when a pair has no preference by a question, or there are no pairs
 */
export function winRates(
  pairs: readonly RoundPair[],
  preferences: readonly AggregatedPreference[],
): WinRates {
  const byItem = new Map(
    preferences.map(preference => [`${preference.question}\n${preference.pairId}`, preference]),
  )
  return {
    ethics: winRate('ethics', pairs, byItem),
    logic: winRate('logic', pairs, byItem),
    function: winRate('function', pairs, byItem),
  }
}

export type RoundRule = {
  /** Questions by which the candidate has to win; all others are guards. At least one. */
  readonly targets: readonly Question[]
  /** What a guard's win rate may lose below even. */
  readonly guardMarginPpm: number
  /** Least Krippendorff's alpha over all questions among the kept validators. */
  readonly minAlphaPpm: number
  readonly minKeptValidators: number
}

export type RoundDecision = {
  readonly promoted: boolean
  readonly winRates: WinRates
  readonly questions: { readonly [question in Question]: GateDecision }
  readonly agreement: AgreementDecision
}

export type AgreementDecision = {
  readonly passed: boolean
  readonly keptValidators: number
  readonly alphaPpm: number | null
}

/** Whether the validators whom the scoring keeps are enough and agree; undefined agreement does not pass. */
export function agreementGate(
  scores: RoundScores,
  rule: Pick<RoundRule, 'minAlphaPpm' | 'minKeptValidators'>,
): AgreementDecision {
  const keptValidators = scores.validators.filter(score => score.standing === 'kept').length
  const alphaPpm = scores.alphaPpm.all
  const passed = keptValidators >= rule.minKeptValidators && alphaPpm !== null && alphaPpm >= rule.minAlphaPpm
  return { passed, keptValidators, alphaPpm }
}

/** The candidate goes on if the validators agree, every target is won and no guard is lost by the margin. */
export function aggregateRound(
  pairs: readonly RoundPair[],
  scores: RoundScores,
  rule: RoundRule,
): RoundDecision {
  if (rule.targets.length === 0)
    throw new OpenLedgerError('malformed', 'a round without a target promotes anything', {
      expected: 'a target',
    })
  const rates = winRates(pairs, scores.preferences)
  const decide = (question: Question): GateDecision =>
    rule.targets.includes(question)
      ? targetGate(rates[question], EVEN_PPM)
      : guardGate(rates[question], rule.guardMarginPpm - EVEN_PPM)
  const questions = { ethics: decide('ethics'), logic: decide('logic'), function: decide('function') }
  const agreement = agreementGate(scores, rule)
  return {
    promoted: agreement.passed && QUESTIONS.every(question => questions[question].passed),
    winRates: rates,
    questions,
    agreement,
  }
}
