import fc from 'fast-check'
import {
  aggregateRound,
  agreementGate,
  type RoundPair,
  type RoundRule,
  winRates,
} from '../../domain/alignment/aggregate-round.ts'
import type {
  AggregatedPreference,
  RoundScores,
  ValidatorScore,
} from '../../domain/alignment/score-validators.ts'
import { type Choice, QUESTIONS } from '../../domain/alignment/verdicts.ts'
import { proveRuns } from '../support/prove-runs.ts'
import { validatorAt } from '../support/simulated-round.ts'

const RULE: RoundRule = {
  targets: ['ethics'],
  guardMarginPpm: 60_000,
  minAlphaPpm: 200_000,
  minKeptValidators: 3,
}

const certain = (choice: Choice) => ({
  a: choice === 'a' ? 1_000_000 : 0,
  b: choice === 'b' ? 1_000_000 : 0,
  tie: choice === 'tie' ? 1_000_000 : 0,
})

/** A round in which the candidate (side b) wins, loses and ties so many prompts, by every question. */
function aRound(counts: { wins: number; losses: number; ties: number }) {
  const outcomes: Choice[] = [
    ...Array<Choice>(counts.wins).fill('b'),
    ...Array<Choice>(counts.losses).fill('a'),
    ...Array<Choice>(counts.ties).fill('tie'),
  ]
  const pairs = outcomes.map(
    (_, at): RoundPair => ({ pairId: `pair-${at}`, promptId: `prompt-${at}`, candidate: 'b' }),
  )
  const preferences = QUESTIONS.flatMap(question =>
    outcomes.map(
      (choice, at): AggregatedPreference => ({
        pairId: `pair-${at}`,
        question,
        posteriorPpm: certain(choice),
        choice,
      }),
    ),
  )
  return { pairs, preferences }
}

const someScores = (
  preferences: readonly AggregatedPreference[],
  kept = 5,
  alphaPpm: number | null = 500_000,
): RoundScores => ({
  validators: Array.from(
    { length: kept },
    (_, at) => ({ validator: validatorAt(at), standing: 'kept' }) as ValidatorScore,
  ),
  alphaPpm: { ethics: null, logic: null, function: null, all: alphaPpm },
  preferences,
  steps: 1,
  converged: true,
})

describe('the win rate of a candidate', () => {
  it('counts ties as half a win', () => {
    const { pairs, preferences } = aRound({ wins: 30, losses: 10, ties: 60 })
    expect(winRates(pairs, preferences).logic).toMatchObject({ valuePpm: 600_000, n: 100 })
  })

  it('and that of its parent are mirror images', () => {
    fc.assert(
      fc.property(fc.nat(60), fc.nat(60), fc.integer({ min: 1, max: 60 }), (wins, losses, ties) => {
        const { pairs, preferences } = aRound({ wins, losses, ties })
        const one = winRates(pairs, preferences).ethics
        const other = winRates(
          pairs.map(pair => ({ ...pair, candidate: 'a' as const })),
          preferences,
        ).ethics
        expect(Math.abs(one.lowPpm + other.highPpm - 1_000_000)).toBeLessThanOrEqual(1)
        expect(Math.abs(one.valuePpm + other.valuePpm - 1_000_000)).toBeLessThanOrEqual(1)
        expect(one.lowPpm <= one.valuePpm && one.valuePpm <= one.highPpm).toBe(true)
      }),
      proveRuns(),
    )
  })

  it('averages the pairs of one prompt first: asking one prompt often adds no certainty', () => {
    const { pairs, preferences } = aRound({ wins: 40, losses: 0, ties: 0 })
    const onePrompt = pairs.map(pair => ({ ...pair, promptId: 'the same' }))
    expect(winRates(onePrompt, preferences).ethics).toMatchObject({ n: 1, valuePpm: 1_000_000 })
    expect(winRates(onePrompt, preferences).ethics.lowPpm).toBeLessThan(500_000)
  })

  it('is not more certain for pairs that are leaned on than for pairs that are known', () => {
    const { pairs, preferences } = aRound({ wins: 60, losses: 40, ties: 0 })
    const leaning = preferences.map(preference => ({
      ...preference,
      posteriorPpm: { a: 400_000, b: 600_000, tie: 0 },
    }))
    const width = ({ lowPpm, highPpm }: { lowPpm: number; highPpm: number }) => highPpm - lowPpm
    expect(winRates(pairs, leaning).ethics.valuePpm).toBe(600_000)
    expect(width(winRates(pairs, leaning).ethics)).toBeGreaterThanOrEqual(
      width(winRates(pairs, preferences).ethics) - 2,
    )
  })

  it('is refused while a pair has no judgment', () => {
    const { pairs, preferences } = aRound({ wins: 3, losses: 1, ties: 0 })
    expect(() => winRates(pairs, preferences.slice(1))).toThrow(
      expect.objectContaining({ code: 'malformed' }),
    )
    expect(() => winRates([], [])).toThrow(expect.objectContaining({ code: 'malformed' }))
  })
})

describe('a candidate goes on', () => {
  const decide = (
    ethics: { wins: number; losses: number; ties: number },
    rest: typeof ethics,
    rule = RULE,
    scores = someScores,
  ) => {
    const target = aRound(ethics)
    const guards = aRound(rest)
    const preferences = [
      ...target.preferences.filter(({ question }) => question === 'ethics'),
      ...guards.preferences.filter(({ question }) => question !== 'ethics'),
    ]
    return aggregateRound(target.pairs, scores(preferences), rule)
  }
  const even = { wins: 2, losses: 2, ties: 196 }

  it('when it wins its target and loses no guard', () => {
    expect(decide({ wins: 80, losses: 20, ties: 100 }, even).promoted).toBe(true)
  })

  it('not when the target is only likely to be won', () => {
    const { promoted, questions } = decide({ wins: 54, losses: 46, ties: 100 }, even)
    expect(promoted).toBe(false)
    expect(questions.ethics).toMatchObject({ passed: false, rule: 'target', abovePpm: 500_000 })
  })

  it('not when a guard may have lost more than its margin', () => {
    const { promoted, questions } = decide(
      { wins: 80, losses: 20, ties: 100 },
      { wins: 30, losses: 50, ties: 120 },
    )
    expect(promoted).toBe(false)
    expect(questions.logic).toMatchObject({ passed: false, rule: 'guard', abovePpm: 440_000 })
  })

  it('not when the validators who count do not agree, or are too few', () => {
    const won = { wins: 80, losses: 20, ties: 100 }
    expect(decide(won, even, RULE, preferences => someScores(preferences, 5, 199_999)).promoted).toBe(false)
    expect(decide(won, even, RULE, preferences => someScores(preferences, 5, 200_000)).promoted).toBe(true)
    expect(decide(won, even, RULE, preferences => someScores(preferences, 5, null)).promoted).toBe(false)
    expect(decide(won, even, RULE, preferences => someScores(preferences, 2)).promoted).toBe(false)
    expect(agreementGate(someScores([], 3), RULE)).toEqual({
      passed: true,
      keptValidators: 3,
      alphaPpm: 500_000,
    })
  })

  it('never by a rule without a target', () => {
    expect(() => decide(even, even, { ...RULE, targets: [] })).toThrow(
      expect.objectContaining({ code: 'malformed' }),
    )
  })
})
