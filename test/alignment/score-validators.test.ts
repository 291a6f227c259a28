import fc from 'fast-check'
import { estimateTruth } from '../../domain/alignment/dawid-skene.ts'
import { krippendorffAlpha } from '../../domain/alignment/krippendorff-alpha.ts'
import { FULL_SKILL_PPM, scoreValidators } from '../../domain/alignment/score-validators.ts'
import { type Choice, choiceOf, QUESTIONS, type Verdict } from '../../domain/alignment/verdicts.ts'
import { seededRandom } from '../support/copier.ts'
import { proveRuns, proveSeeds } from '../support/prove-runs.ts'
import {
  type Habit,
  type Mix,
  PUBLISHED_MIXES,
  simulateRound,
  validatorAt,
} from '../support/simulated-round.ts'

const A_MIX = PUBLISHED_MIXES['two random, one always first']!
const habitOf = (mix: Mix, validator: string) => mix.habits[Number(BigInt(validator)) - 1]!

/** Rounds small enough that estimation meets every awkward corner: one verdict, no gold, all ties. */
const smallMix = fc.record({
  habits: fc.array(
    fc.oneof(
      fc.record({
        kind: fc.constant('honest' as const),
        error: fc.double({ min: 0, max: 0.6, noNaN: true }),
      }),
      fc.constantFrom<Habit>(
        { kind: 'random' },
        { kind: 'always-first' },
        { kind: 'always-tie' },
        { kind: 'colluding' },
      ),
    ),
    { minLength: 3, maxLength: 6 },
  ),
  pairs: fc.integer({ min: 1, max: 12 }),
  judgmentsPerPair: fc.integer({ min: 1, max: 3 }),
  goldPairs: fc.nat(3),
  goldPerValidator: fc.nat(3),
  tieShare: fc.double({ min: 0, max: 1, noNaN: true }),
})
const smallRound = fc
  .tuple(smallMix, fc.integer({ min: 1, max: 10_000 }))
  .map(([mix, seed]) => simulateRound(mix, seed))

describe('the scores of validators, in the published mixes of five honest and three others', () => {
  it.each(Object.entries(PUBLISHED_MIXES))(
    '%s: no honest one loses weight, hardly any other keeps it',
    (_name, mix) => {
      let others = 0
      let othersWithWeight = 0
      let right = 0
      let items = 0
      for (const seed of proveSeeds(5)) {
        const round = simulateRound(mix, seed)
        const scores = scoreValidators(round.verdicts, round.gold)
        expect(scores.converged).toBe(true)
        for (const { validator, standing, weightPpm } of scores.validators) {
          if (habitOf(mix, validator).kind === 'honest')
            expect({ seed, validator, standing, weightPpm }).toEqual({
              seed,
              validator,
              standing: 'kept',
              weightPpm: 1_000_000,
            })
          else {
            others++
            if (weightPpm > 0) othersWithWeight++
          }
        }
        for (const { pairId, question, choice } of scores.preferences) {
          items++
          if (round.truth.get(`${question}\n${pairId}`) === choice) right++
        }
      }
      // One guesser in 700 passes the lower bound by luck; a guesser who always did would be here at once.
      expect(othersWithWeight).toBeLessThanOrEqual(Math.ceil(others * 0.01))
      expect(right / items).toBeGreaterThan(0.85)
    },
  )
})

describe('the score of a validator', () => {
  it('does not depend on the order of the verdicts', () => {
    fc.assert(
      fc.property(smallRound, fc.integer(), ({ verdicts, gold }, seed) => {
        const random = seededRandom(seed)
        const shuffled = verdicts
          .map(verdict => ({ verdict, at: random() }))
          .sort((one, other) => one.at - other.at)
        expect(
          scoreValidators(
            shuffled.map(({ verdict }) => verdict),
            gold.toReversed(),
          ),
        ).toEqual(scoreValidators(verdicts, gold))
      }),
      proveRuns(5),
    )
  })

  it('is in range and in order, whatever was said', () => {
    fc.assert(
      fc.property(smallRound, ({ verdicts, gold }) => {
        const { validators, preferences, alphaPpm } = scoreValidators(verdicts, gold)
        expect(validators.map(({ validator }) => validator)).toEqual(
          [...new Set(verdicts.map(({ validator }) => validator))].sort(),
        )
        for (const { skill, accuracy, weightPpm, standing, choseFirst } of validators) {
          for (const { valuePpm, lowPpm, highPpm } of [skill, accuracy, choseFirst ?? skill]) {
            for (const ppm of [lowPpm, valuePpm, highPpm]) expect(Number.isSafeInteger(ppm)).toBe(true)
            expect(0 <= lowPpm && lowPpm <= valuePpm && valuePpm <= highPpm && highPpm <= 1_000_000).toBe(
              true,
            )
          }
          expect(standing === 'kept').toBe(weightPpm > 0)
          expect(standing === 'kept').toBe(skill.lowPpm > 0)
          if (standing === 'dropped') expect(skill.highPpm).toBeLessThan(FULL_SKILL_PPM)
        }
        for (const { posteriorPpm } of preferences)
          expect(posteriorPpm.a + posteriorPpm.b + posteriorPpm.tie).toBe(1_000_000)
        for (const alpha of Object.values(alphaPpm)) expect(alpha === null || alpha <= 1_000_000).toBe(true)
      }),
      proveRuns(5),
    )
  })

  it('does not depend on which answer of a pair is called a', () => {
    fc.assert(
      fc.property(smallRound, ({ verdicts, gold }) => {
        const mirror = { a: 'b', b: 'a', tie: 'tie' } as const
        const mirrored = scoreValidators(
          verdicts.map(verdict => ({
            ...verdict,
            choice: mirror[verdict.choice],
            shownFirst: mirror[verdict.shownFirst],
          })),
          gold.map(item => ({ ...item, choice: mirror[item.choice] })),
        )
        const plain = scoreValidators(verdicts, gold)
        expect(mirrored.validators).toEqual(plain.validators)
      }),
      proveRuns(10),
    )
  })

  it('finds the one who always picks the first by position as well', () => {
    const { verdicts, gold } = simulateRound(A_MIX, 3)
    const biased = scoreValidators(verdicts, gold).validators.filter(score => score.isPositionBiased)
    expect(biased.map(({ validator }) => habitOf(A_MIX, validator).kind)).toEqual(['always-first'])
    expect(biased[0]).toMatchObject({
      standing: 'dropped',
      weightPpm: 0,
      choseFirst: { valuePpm: 1_000_000 },
    })
  })

  it('pays one who looks at only a third of the tasks in part, neither all nor nothing', () => {
    const mix: Mix = {
      ...A_MIX,
      pairs: 400,
      habits: [...A_MIX.habits.slice(0, 5), { kind: 'half-lazy', lazy: 0.67 }],
    }
    const { verdicts, gold } = simulateRound(mix, 2)
    const lazy = scoreValidators(verdicts, gold).validators.find(
      ({ validator }) => validator === validatorAt(5),
    )
    expect(lazy?.standing).toBe('kept')
    expect(lazy?.weightPpm).toBeGreaterThan(300_000)
    expect(lazy?.weightPpm).toBeLessThan(1_000_000)
  })

  it('is not made surer by three answers to one glance', () => {
    const { verdicts, gold } = simulateRound({ ...A_MIX, pairs: 40 }, 6)
    const byEthics = <T extends { question: string }>(items: readonly T[]) =>
      items.filter(({ question }) => question === 'ethics')
    const threefold = <T extends { question: string }>(items: readonly T[]) =>
      byEthics(items).flatMap(item => QUESTIONS.map(question => ({ ...item, question })))
    const once = scoreValidators(byEthics(verdicts), byEthics(gold)).validators
    const thrice = scoreValidators(threefold(verdicts), threefold(gold)).validators
    const width = ({ skill }: (typeof once)[number]) => skill.highPpm - skill.lowPpm
    // Were they three trials, the bounds would be narrower by the root of three (0.58).
    for (const [at, score] of once.entries()) expect(width(thrice[at]!) / width(score)).toBeGreaterThan(0.9)
  })

  it('is looked at again without the noise: three who agree on made-up verdicts fool the first look only', () => {
    const mix = PUBLISHED_MIXES['three who agree on made-up verdicts']!
    for (const seed of [8, 9, 16]) {
      const { verdicts, gold } = simulateRound(mix, seed)
      const colluding = scoreValidators(verdicts, gold).validators.slice(5)
      expect(colluding.map(({ standing, weightPpm }) => ({ standing, weightPpm }))).toEqual(
        Array(3).fill({ standing: 'dropped', weightPpm: 0 }),
      )
    }
  })

  it('decides whose agreement counts: guessers do not lower it', () => {
    const { verdicts, gold } = simulateRound(A_MIX, 7)
    const isGold = new Set(gold.map(({ pairId }) => pairId))
    const units = Map.groupBy(
      verdicts.filter(({ pairId }) => !isGold.has(pairId)),
      ({ question, pairId }) => `${question} ${pairId}`,
    )
    const among = (count: number) =>
      krippendorffAlpha(
        [...units.values()].map(unit =>
          unit.filter(({ validator }) => Number(BigInt(validator)) <= count).map(({ choice }) => choice),
        ),
      )!
    const { alphaPpm } = scoreValidators(verdicts, gold)
    expect(alphaPpm.all! / 1e6).toBeCloseTo(among(5), 5)
    expect(alphaPpm.all! / 1e6).toBeGreaterThan(among(8) + 0.2)
  })

  it('is unproven, not dropped, for an honest one who judged three tasks', () => {
    const { verdicts, gold } = simulateRound(A_MIX, 4)
    const three = new Set(
      verdicts
        .filter(({ validator }) => validator === validatorAt(0))
        .slice(0, 9)
        .map(({ pairId }) => pairId),
    )
    const fewer = verdicts.filter(
      ({ validator, pairId }) => validator !== validatorAt(0) || three.has(pairId),
    )
    const first = scoreValidators(
      fewer,
      gold.filter(({ pairId }) => !three.has(pairId)),
    ).validators[0]
    expect(first).toMatchObject({ validator: validatorAt(0), tasks: 3, standing: 'unproven', weightPpm: 0 })
  })

  it('covers the true accuracy in its bounds for nearly all honest ones', () => {
    let covered = 0
    let honest = 0
    for (const seed of proveSeeds(4)) {
      const { verdicts, gold } = simulateRound(A_MIX, 1_000 + seed)
      for (const { validator, accuracy } of scoreValidators(verdicts, gold).validators) {
        const habit = habitOf(A_MIX, validator)
        if (habit.kind !== 'honest') continue
        honest++
        const truth = 1_000_000 * (1 - habit.error)
        if (accuracy.lowPpm <= truth && truth <= accuracy.highPpm) covered++
      }
    }
    expect(covered / honest).toBeGreaterThan(0.9)
  })

  it('is refused when a validator judged one question of a pair twice', () => {
    const { verdicts, gold } = simulateRound(A_MIX, 1)
    expect(() => scoreValidators([...verdicts, verdicts[0]!], gold)).toThrow(
      expect.objectContaining({ code: 'malformed' }),
    )
  })

  it('of an empty round is empty', () => {
    expect(scoreValidators([], [])).toMatchObject({
      validators: [],
      preferences: [],
      alphaPpm: { all: null },
    })
  })
})

describe('the estimated truth', () => {
  it('fits no worse after every step, and settles', () => {
    fc.assert(
      fc.property(smallRound, ({ verdicts, gold }) => {
        const { logPosteriors, converged } = estimateTruth(verdicts, gold)
        expect(converged).toBe(true)
        for (const heights of logPosteriors)
          for (let step = 1; step < heights.length; step++)
            expect(heights[step]! - heights[step - 1]!).toBeGreaterThan(-1e-9)
      }),
      proveRuns(5),
    )
  })

  it('is a probability for every item, and certain for gold', () => {
    fc.assert(
      fc.property(smallRound, ({ verdicts, gold }) => {
        const { posteriors } = estimateTruth(verdicts, gold)
        for (const posterior of posteriors.values()) {
          expect(posterior.a + posterior.b + posterior.tie).toBeCloseTo(1, 9)
          expect(Math.min(posterior.a, posterior.b, posterior.tie)).toBeGreaterThanOrEqual(0)
        }
        for (const { pairId, question, choice } of gold)
          expect(posteriors.get(`${question}\n${pairId}`)?.[choice] ?? 1).toBe(1)
      }),
      proveRuns(5),
    )
  })

  it('follows the reliable against a majority of guessers', () => {
    const mix: Mix = {
      ...A_MIX,
      habits: [
        { kind: 'honest', error: 0.03 },
        { kind: 'honest', error: 0.03 },
        { kind: 'random' },
        { kind: 'random' },
        { kind: 'random' },
      ],
      judgmentsPerPair: 5,
    }
    const { verdicts, gold, truth } = simulateRound(mix, 5)
    const byMajority = (key: string): Choice => {
      const said = verdicts.filter(({ pairId, question }) => `${question}\n${pairId}` === key)
      const votes = (choice: Choice) => said.filter(verdict => verdict.choice === choice).length
      return (['a', 'b', 'tie'] as const).toSorted((one, other) => votes(other) - votes(one))[0]!
    }
    const { preferences } = scoreValidators(verdicts, gold)
    const keyOf = ({ question, pairId }: { question: string; pairId: string }) => `${question}\n${pairId}`
    const share = (choices: readonly (readonly [string, Choice])[]) =>
      choices.filter(([key, choice]) => truth.get(key) === choice).length / choices.length
    const scored = share(preferences.map(preference => [keyOf(preference), preference.choice]))
    expect(scored).toBeGreaterThan(0.93)
    expect(scored).toBeGreaterThan(
      share(preferences.map(preference => [keyOf(preference), byMajority(keyOf(preference))])) + 0.05,
    )
  })

  it('without a validator is what the others said', () => {
    const alone: Verdict = {
      validator: validatorAt(0),
      pairId: 'p',
      question: 'ethics',
      choice: 'a',
      shownFirst: 'a',
    }
    const other: Verdict = { ...alone, validator: validatorAt(1), choice: 'b' }
    const truth = estimateTruth([alone, other], [])
    expect(truth.posteriorWithout(validatorAt(0), alone).b).toBeGreaterThan(0.5)
    expect(truth.posteriorWithout(validatorAt(1), other).a).toBeGreaterThan(0.5)
  })
})

describe("Krippendorff's alpha", () => {
  /** Judges as rows, units as columns, a dot for a missing value. */
  const unitsOf = (...judges: readonly string[]) =>
    Array.from({ length: judges[0]!.length }, (_, at) =>
      judges.map(row => row[at]!).filter(value => value !== '.'),
    )

  it('has the values of the published examples', () => {
    // Krippendorff 2011: section B (two judges, binary data) and section C (four judges, nominal, missing data).
    expect(krippendorffAlpha(unitsOf('0100000010', '1110010000'))).toBeCloseTo(0.095, 3)
    expect(
      krippendorffAlpha(unitsOf('123321412...', '1233224125.3', '.3332342251.', '12332441251.')),
    ).toBeCloseTo(0.743, 3)
  })

  it('is 1 for full agreement, below 0 for contradiction, and undefined where nothing can be said', () => {
    expect(
      krippendorffAlpha([
        ['a', 'a'],
        ['b', 'b'],
      ]),
    ).toBe(1)
    expect(
      krippendorffAlpha([
        ['a', 'b'],
        ['b', 'a'],
      ]),
    ).toBeLessThan(0)
    expect(
      krippendorffAlpha([
        ['a', 'a'],
        ['a', 'a'],
      ]),
    ).toBeUndefined()
    expect(krippendorffAlpha([['a'], ['b']])).toBeUndefined()
    expect(krippendorffAlpha([])).toBeUndefined()
  })

  it('is about 0 for guesses', () => {
    const random = seededRandom(1)
    const guess = () => QUESTIONS[Math.floor(random() * 3)]!
    expect(
      Math.abs(krippendorffAlpha(Array.from({ length: 3_000 }, () => [guess(), guess(), guess()])) ?? 1),
    ).toBeLessThan(0.03)
  })
})

describe('what was said in the order shown', () => {
  it.each([
    ['first', 'a', 'a'],
    ['first', 'b', 'b'],
    ['second', 'a', 'b'],
    ['second', 'b', 'a'],
    ['tie', 'a', 'tie'],
  ] as const)('%s of a pair that shows %s first means %s', (said, shownFirst, choice) => {
    expect(choiceOf(said, shownFirst)).toBe(choice)
  })
})
