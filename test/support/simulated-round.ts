/** Rounds with a known truth and validators of known habits, to measure what scoring does to each of them. */
import { assignTasks } from '../../domain/alignment/assign-tasks.ts'
import {
  type Choice,
  choiceOf,
  type GoldVerdict,
  QUESTIONS,
  type Verdict,
} from '../../domain/alignment/verdicts.ts'
import type { Address } from '../../domain/protocol/hex.ts'
import { pick, seededRandom } from './copier.ts'

export type Habit =
  | { kind: 'honest'; error: number }
  | { kind: 'random' }
  | { kind: 'always-first' }
  | { kind: 'always-tie' }
  /** Follows the truth in some tasks and picks the first in the others. */
  | { kind: 'half-lazy'; lazy: number }
  /** All of them say the same, made up without looking. */
  | { kind: 'colluding' }

export type Mix = {
  habits: readonly Habit[]
  pairs: number
  judgmentsPerPair: number
  goldPairs: number
  goldPerValidator: number
  /** Share of items whose truth is a tie. */
  tieShare: number
  /** Questions of one pair share their truth with this probability. */
  linked?: number
}

export const validatorAt = (at: number) => `0x${(at + 1).toString(16).padStart(40, '0')}` as Address

export type SimulatedRound = {
  verdicts: Verdict[]
  gold: GoldVerdict[]
  truth: ReadonlyMap<string, Choice>
}

export function simulateRound(mix: Mix, seed: number): SimulatedRound {
  const random = seededRandom(seed * 7919)
  const pairIds = Array.from({ length: mix.pairs }, (_, at) => `pair-${at}`)
  const goldIds = Array.from({ length: mix.goldPairs }, (_, at) => `gold-${at}`)
  const truth = new Map<string, Choice>()
  const rumor = new Map<string, Choice>()
  const drawTruth = (): Choice => (random() < mix.tieShare ? 'tie' : random() < 0.5 ? 'a' : 'b')
  for (const pairId of [...pairIds, ...goldIds]) {
    const shared = drawTruth()
    for (const question of QUESTIONS) {
      truth.set(`${question}\n${pairId}`, random() < (mix.linked ?? 0) ? shared : drawTruth())
      rumor.set(`${question}\n${pairId}`, drawTruth())
    }
  }
  const tasks = assignTasks(
    pairIds,
    goldIds,
    mix.habits.map((_, at) => validatorAt(at)),
    {
      roundId: `round-${seed}`,
      seed: `seed-${seed}`,
      judgmentsPerPair: mix.judgmentsPerPair,
      goldPerValidator: mix.goldPerValidator,
    },
  )
  const verdicts = tasks.flatMap(({ validator, pairId, shownFirst }) => {
    const habit = mix.habits[Number(BigInt(validator)) - 1]!
    const isLazyNow = habit.kind === 'half-lazy' && random() < habit.lazy
    return QUESTIONS.map((question): Verdict => {
      const right = truth.get(`${question}\n${pairId}`)!
      const others = (['a', 'b', 'tie'] as const).filter(choice => choice !== right)
      const choice = ((): Choice => {
        switch (habit.kind) {
          case 'honest':
            return random() < habit.error ? pick(others, random) : right
          case 'random':
            return choiceOf(pick(['first', 'second', 'tie'] as const, random), shownFirst)
          case 'always-first':
            return shownFirst
          case 'always-tie':
            return 'tie'
          case 'half-lazy':
            return isLazyNow ? shownFirst : right
          case 'colluding':
            return rumor.get(`${question}\n${pairId}`)!
        }
      })()
      return { validator, pairId, question, choice, shownFirst }
    })
  })
  const gold = goldIds.flatMap(pairId =>
    QUESTIONS.map(question => ({ pairId, question, choice: truth.get(`${question}\n${pairId}`)! })),
  )
  return { verdicts, gold, truth }
}

const honest = [0.05, 0.08, 0.12, 0.16, 0.2].map(error => ({ kind: 'honest' as const, error }))

/** The mixes for which the figures in docs are published: five honest (wrong in 5 to 20 %) and three who are not. */
export const PUBLISHED_MIXES: Readonly<Record<string, Mix>> = {
  'two random, one always first': {
    habits: [...honest, { kind: 'random' }, { kind: 'random' }, { kind: 'always-first' }],
    pairs: 90,
    judgmentsPerPair: 3,
    goldPairs: 12,
    goldPerValidator: 8,
    tieShare: 0.25,
  },
  'the same, five judgments a pair': {
    habits: [...honest, { kind: 'random' }, { kind: 'random' }, { kind: 'always-first' }],
    pairs: 90,
    judgmentsPerPair: 5,
    goldPairs: 12,
    goldPerValidator: 8,
    tieShare: 0.25,
  },
  'the same, mostly ties': {
    habits: [...honest, { kind: 'random' }, { kind: 'random' }, { kind: 'always-first' }],
    pairs: 90,
    judgmentsPerPair: 3,
    goldPairs: 12,
    goldPerValidator: 8,
    tieShare: 0.6,
  },
  'the same, questions that go together': {
    habits: [...honest, { kind: 'random' }, { kind: 'random' }, { kind: 'always-first' }],
    pairs: 90,
    judgmentsPerPair: 3,
    goldPairs: 12,
    goldPerValidator: 8,
    tieShare: 0.25,
    linked: 0.9,
  },
  'the same, without gold': {
    habits: [...honest, { kind: 'random' }, { kind: 'random' }, { kind: 'always-first' }],
    pairs: 90,
    judgmentsPerPair: 3,
    goldPairs: 0,
    goldPerValidator: 0,
    tieShare: 0.25,
  },
  'one always tie, one always first, one random': {
    habits: [...honest, { kind: 'always-tie' }, { kind: 'always-first' }, { kind: 'random' }],
    pairs: 90,
    judgmentsPerPair: 3,
    goldPairs: 12,
    goldPerValidator: 8,
    tieShare: 0.25,
  },
  'three who agree on made-up verdicts': {
    habits: [...honest, { kind: 'colluding' }, { kind: 'colluding' }, { kind: 'colluding' }],
    pairs: 90,
    judgmentsPerPair: 3,
    goldPairs: 12,
    goldPerValidator: 8,
    tieShare: 0.25,
  },
}
