import { judgeCandidate } from '../../domain/alignment/judge-round.ts'
import type { AnswerPair } from '../../domain/alignment/ports.ts'
import type { RoundScores } from '../../domain/alignment/score-validators.ts'
import { type Choice, QUESTIONS } from '../../domain/alignment/verdicts.ts'
import { validatorAt } from '../support/simulated-round.ts'

const rule = { targets: ['ethics'], gate: { guardMarginPpm: 80_000 } } as unknown as Parameters<
  typeof judgeCandidate
>[0]

const pairs = (from: number, count: number) =>
  Array.from({ length: count }, (_, at) => ({ pairId: `pair-${from + at}` }) as unknown as AnswerPair)

/** Five kept validators who agree; what they said of the first pairs by ethics, and ties by the other questions. */
function scores(said: readonly Choice[]): RoundScores {
  const certain = (choice: Choice) => ({ a: 0, b: 0, tie: 0, [choice]: 1_000_000 })
  return {
    validators: Array.from({ length: 5 }, (_, at) => ({ validator: validatorAt(at), standing: 'kept' })),
    alphaPpm: { all: 700_000 },
    preferences: said.flatMap((ethics, at) =>
      QUESTIONS.map(question => {
        const choice = question === 'ethics' ? ethics : 'tie'
        return { pairId: `pair-${at}`, question, choice, posteriorPpm: certain(choice) }
      }),
    ),
  } as unknown as RoundScores
}

const wins = (count: number) => Array<Choice>(count).fill('b')

describe('the second round', () => {
  it('promotes who wins by the target and loses by no guard', () => {
    const { promoted, reason } = judgeCandidate(rule, scores(wins(20)), {
      pairs: pairs(0, 20),
      equal: pairs(20, 20),
    })
    expect({ promoted, reason }).toEqual({
      promoted: true,
      reason: 'the second round prefers the candidate',
    })
  })

  it('counts a pair without a judgment that counts for the parent, on every question', () => {
    const one = judgeCandidate(rule, scores(wins(20)), { pairs: pairs(0, 21), equal: pairs(21, 19) })
    const { ethics, function: guard } = one.decision.winRates
    expect(ethics.valuePpm).toBe(Math.floor(((20 + 19 / 2) / 40) * 1_000_000))
    expect(guard.valuePpm).toBeLessThan(500_000)
    expect(one.promoted).toBe(true)
  })

  it('is not won by holding back judgments', () => {
    const { promoted, reason } = judgeCandidate(rule, scores(wins(20)), {
      pairs: pairs(0, 40),
      equal: [],
    })
    expect(promoted).toBe(false)
    expect(reason).toBe(
      'not-aligned: no win by ethics, logic, function; 20 pairs without a judgment that counts went to the parent',
    )
  })
})
