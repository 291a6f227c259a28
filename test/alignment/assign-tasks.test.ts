import fc from 'fast-check'
import { type AssignmentRules, assignTasks } from '../../domain/alignment/assign-tasks.ts'
import { proveRuns } from '../support/prove-runs.ts'
import { validatorAt } from '../support/simulated-round.ts'

const RULES: AssignmentRules = { roundId: 'round', seed: 'seed', judgmentsPerPair: 3, goldPerValidator: 4 }
const ids = (kind: string, count: number) => Array.from({ length: count }, (_, at) => `${kind}-${at}`)
const validators = (count: number) => Array.from({ length: count }, (_, at) => validatorAt(at))

const someRound = fc.record({
  pairs: fc.nat(40),
  gold: fc.nat(10),
  judges: fc.integer({ min: 1, max: 9 }),
  seed: fc.string(),
  judgmentsPerPair: fc.integer({ min: 1, max: 9 }),
  goldPerValidator: fc.nat(12),
})
const tasksOf = ({
  pairs,
  gold,
  judges,
  ...rules
}: {
  pairs: number
  gold: number
  judges: number
  seed: string
  judgmentsPerPair: number
  goldPerValidator: number
}) => assignTasks(ids('pair', pairs), ids('gold', gold), validators(judges), { roundId: 'round', ...rules })

describe('the tasks of a round', () => {
  it('give each pair to so many different validators, and no validator a pair twice', () => {
    fc.assert(
      fc.property(
        someRound.filter(({ judges, judgmentsPerPair }) => judges >= judgmentsPerPair),
        round => {
          const tasks = tasksOf(round)
          expect(new Set(tasks.map(task => `${task.validator} ${task.pairId}`)).size).toBe(tasks.length)
          expect(new Set(tasks.map(task => task.taskId)).size).toBe(tasks.length)
          const judged = Map.groupBy(
            tasks.filter(task => !task.isGold),
            task => task.pairId,
          )
          for (const pairId of ids('pair', round.pairs))
            expect(judged.get(pairId)).toHaveLength(round.judgmentsPerPair)
          for (const own of Map.groupBy(tasks, task => task.validator).values()) {
            expect(own.map(task => task.position)).toEqual(own.map((_, at) => at))
            expect(own.filter(task => task.isGold)).toHaveLength(Math.min(round.gold, round.goldPerValidator))
          }
        },
      ),
      proveRuns(),
    )
  })

  it('load validators evenly, and show each answer first in half of each one’s tasks', () => {
    fc.assert(
      fc.property(
        someRound.filter(({ judges, judgmentsPerPair }) => judges >= judgmentsPerPair),
        round => {
          const tasks = tasksOf(round)
          const loads = validators(round.judges).map(
            validator => tasks.filter(task => task.validator === validator && !task.isGold).length,
          )
          expect(Math.max(...loads) - Math.min(...loads)).toBeLessThanOrEqual(1)
          for (const own of Map.groupBy(tasks, task => `${task.validator} ${task.isGold}`).values()) {
            const first = own.filter(task => task.shownFirst === 'a').length
            expect(Math.abs(own.length - 2 * first)).toBeLessThanOrEqual(1)
          }
        },
      ),
      proveRuns(),
    )
  })

  it('are the same for the same seed, in whatever order pairs and validators are listed', () => {
    fc.assert(
      fc.property(
        someRound.filter(({ judges, judgmentsPerPair }) => judges >= judgmentsPerPair),
        ({ pairs, gold, judges, ...rules }) => {
          const reversed = assignTasks(
            ids('pair', pairs).reverse(),
            ids('gold', gold).reverse(),
            validators(judges).reverse(),
            {
              roundId: 'round',
              ...rules,
            },
          )
          expect(reversed).toEqual(tasksOf({ pairs, gold, judges, ...rules }))
        },
      ),
      proveRuns(),
    )
  })

  it('cannot be foreseen without the seed: sides, places and judges change with it', () => {
    const draw = (seed: string) =>
      assignTasks(ids('pair', 30), ids('gold', 8), validators(8), { ...RULES, seed })
    const [one, other] = [draw('one'), draw('other')]
    const sides = (tasks: typeof one) => new Map(tasks.map(task => [task.taskId, task.shownFirst]))
    const both = one.filter(task => sides(other).has(task.taskId))
    const same = both.filter(task => sides(other).get(task.taskId) === task.shownFirst).length / both.length
    expect(same).toBeGreaterThan(0.25)
    expect(same).toBeLessThan(0.75)
    expect(both.length).toBeLessThan(one.length)
  })

  it('spread gold over the whole of the work', () => {
    const tasks = assignTasks(ids('pair', 200), ids('gold', 40), validators(4), {
      ...RULES,
      goldPerValidator: 40,
    })
    const places = tasks.filter(task => task.isGold).map(task => task.position / 190)
    const early = places.filter(place => place < 0.5).length / places.length
    expect(early).toBeGreaterThan(0.35)
    expect(early).toBeLessThan(0.65)
  })

  it('never show a pair to somebody who must not judge it', () => {
    const isOwn = (validator: string, pairId: string) =>
      (Number(BigInt(validator)) + Number(pairId.split('-')[1])) % 4 === 0
    const tasks = assignTasks(
      ids('pair', 40),
      ids('gold', 12),
      validators(8),
      RULES,
      (validator, pairId) => !isOwn(validator, pairId),
    )
    expect(tasks.filter(task => isOwn(task.validator, task.pairId))).toEqual([])
    expect(tasks.filter(task => !task.isGold)).toHaveLength(120)
  })

  it.each([
    ['too few validators', () => assignTasks(ids('pair', 1), [], validators(2), RULES)],
    [
      'too few who may judge',
      () => assignTasks(ids('pair', 1), [], validators(5), RULES, validator => validator === validatorAt(0)),
    ],
    ['a pair twice', () => assignTasks(['pair', 'pair'], [], validators(5), RULES)],
    ['a pair that is also gold', () => assignTasks(['pair'], ['pair'], validators(5), RULES)],
    ['a validator twice', () => assignTasks(['pair'], [], [...validators(5), validatorAt(0)], RULES)],
  ])('are refused with %s', (_what, draw) => {
    expect(draw).toThrow(expect.objectContaining({ code: 'malformed' }))
  })
})
