import type { AnswerPair } from '../../domain/alignment/ports.ts'
import { preferencePairs } from '../../domain/alignment/preference-pairs.ts'
import type { RoundScores } from '../../domain/alignment/score-validators.ts'
import { QUESTIONS, type Question } from '../../domain/alignment/verdicts.ts'

const pair = (pairId: string): AnswerPair => ({
  pairId,
  messages: [{ role: 'user', content: `question of ${pairId}` }],
  a: `${pairId} a`,
  b: `${pairId} b`,
  truth: null,
})

/** `leans` in ppm: how much likelier it is that a is better than that b is. */
function scored(leans: Record<string, Partial<Record<Question, number>>>): RoundScores {
  const preferences = Object.entries(leans).flatMap(([pairId, byQuestion]) =>
    QUESTIONS.map(question => {
      const lean = byQuestion[question] ?? 0
      const [a, b] = lean > 0 ? [lean, 0] : [0, -lean]
      return { pairId, question, posteriorPpm: { a, b, tie: 1_000_000 - a - b } }
    }),
  )
  return { preferences } as unknown as RoundScores
}

describe('the pairs that a reward model learns from', () => {
  const scores = scored({
    styled: { ethics: 900_000, function: -900_000 },
    right: { function: 900_000 },
    faint: { ethics: 150_000 },
  })
  const pairs = [pair('styled'), pair('right'), pair('faint')]
  const told = (targets: readonly Question[]) =>
    preferencePairs(scores, pairs, targets).map(({ id, chosen, weight }) => ({ id, chosen, weight }))

  it('prefer by the questions that were voted as targets, and by no other', () => {
    expect(told(['ethics'])).toEqual([{ id: 'styled', chosen: 'styled a', weight: 0.9 }])
    expect(told(['function'])).toEqual([
      { id: 'styled', chosen: 'styled b', weight: 0.9 },
      { id: 'right', chosen: 'right a', weight: 0.9 },
    ])
  })

  it('weigh the targets evenly, and leave out what they do not decide', () => {
    expect(told(['ethics', 'function'])).toEqual([{ id: 'right', chosen: 'right a', weight: 0.45 }])
  })
})
