/**
 * Scores validators from a round's verdicts, and says what the round's pairs are worth judging by those who
 * can be relied on.
 *
 * Skill s is the share of verdicts in which the validator knew, the rest being drawn from habits (how often
 * they say "tie", else either side): P(said | truth) = s [said = truth] + (1 - s) habit(said). It is fitted
 * by maximum likelihood against the truth as estimated *without* that validator's own verdicts
 * (dawid-skene.ts), whose uncertainty the likelihood takes in, with gold items as certain truth. Somebody who
 * guesses, or always picks the first, has skill 0, since sides were random; somebody wrong in one of five
 * decided pairs has 0.6. The bounds are where the log-likelihood has dropped by z^2 / 2, widened where the
 * verdicts on one pair hang together (one person, one glance: three questions are not three trials).
 *
 * Weight: 0 where the lower bound is not above 0; else 1 as long as the *upper* bound reaches FULL_SKILL, and
 * in proportion below. A validator loses weight only for what the evidence shows, never for bad luck within
 * it. Where there is too little evidence either way the standing is `unproven`: votes count, pay is held.
 *
 * Done twice: once with everybody, then again with the truth estimated from those not yet found unskilled,
 * so that noise of the unskilled neither hides nor taints anybody.
 */
import { OpenLedgerError } from '../errors.ts'
import type { Address } from '../protocol/hex.ts'
import { type Interval, wilsonInterval } from '../training/gate.ts'
import { estimateTruth, type TruthEstimate } from './dawid-skene.ts'
import { krippendorffAlpha } from './krippendorff-alpha.ts'
import {
  type Choice,
  type GoldVerdict,
  itemKey,
  type Posterior,
  QUESTIONS,
  type Question,
  type Verdict,
} from './verdicts.ts'

const { log } = Math
const PPM = 1_000_000
/** The lower bound: one guesser in about 700 passes for skilled by luck. */
const Z_LOW = 3
/** The upper bound (one-sided 99 %): what it says against a validator costs a person pay. */
const Z_HIGH = 2.3263478740408408
/** Skill from which weight is full: being wrong in up to a quarter of decided pairs is honest work. */
export const FULL_SKILL_PPM = 500_000
/** The share of decided verdicts for the answer shown first is called a bias when its interval leaves this band. */
const POSITION_BAND_PPM = { low: 350_000, high: 650_000 } as const

export type Standing = 'kept' | 'unproven' | 'dropped'

export type ValidatorScore = {
  readonly validator: Address
  readonly standing: Standing
  /** 0 to 1_000_000. */
  readonly weightPpm: number
  /** Pairs judged, gold included. */
  readonly tasks: number
  readonly verdicts: number
  /** Share of verdicts in which the validator knew; `n` counts verdicts. */
  readonly skill: Interval
  /** Share of verdicts equal to the truth as skill and habits give it, with its bounds; chance is what skill 0 gives. */
  readonly accuracy: Interval
  readonly chancePpm: number
  /** Right on gold verdicts, by counting; null without gold. */
  readonly gold: Interval | null
  /** Share of decided verdicts that named the answer shown first; null without any. */
  readonly choseFirst: Interval | null
  readonly isPositionBiased: boolean
}

export type AggregatedPreference = {
  readonly pairId: string
  readonly question: Question
  /** Posterior of each choice in ppm; they sum to 1_000_000. */
  readonly posteriorPpm: { readonly [choice in Choice]: number }
  /** The likeliest choice; a tie of probabilities is a tie. */
  readonly choice: Choice
}

export type RoundScores = {
  /** Sorted by address. */
  readonly validators: readonly ValidatorScore[]
  /** Krippendorff's alpha among the kept, gold left out, in ppm rounded down; null where it is undefined. */
  readonly alphaPpm: { readonly [question in Question]: number | null } & { readonly all: number | null }
  /** Sorted by question and pair; gold left out. */
  readonly preferences: readonly AggregatedPreference[]
  readonly steps: number
  readonly converged: boolean
}

const byText = (left: string, right: string) => (left < right ? -1 : left > right ? 1 : 0)

/** What the likelihood of a skill needs of one verdict: belief in what was said, and its probability by habit. */
type Trial = {
  readonly task: string
  readonly belief: number
  readonly habit: number
  readonly habitBelief: number
}

function trialsOf(own: readonly Verdict[], truth: TruthEstimate): Trial[] {
  const ties = own.filter(verdict => verdict.choice === 'tie').length
  // Half a verdict of each kind is added, so that no habit has probability 0.
  const habitTie = (ties + 0.5) / (own.length + 1.5)
  const habitSide = (1 - habitTie) / 2
  return own.map(verdict => {
    const belief = truth.posteriorWithout(verdict.validator, verdict)
    return {
      task: verdict.pairId,
      belief: belief[verdict.choice],
      habit: verdict.choice === 'tie' ? habitTie : habitSide,
      habitBelief: habitTie * belief.tie + habitSide * (belief.a + belief.b),
    }
  })
}

function logLikelihood(trials: readonly Trial[], skill: number): number {
  let sum = 0
  for (const { belief, habit } of trials) sum += log(skill * belief + (1 - skill) * habit)
  return sum
}

function slope(trials: readonly Trial[], skill: number): number {
  let sum = 0
  for (const { belief, habit } of trials) sum += (belief - habit) / (skill * belief + (1 - skill) * habit)
  return sum
}

/** Where a function that falls from positive to negative (or one end of the range) crosses zero. */
function crossing(from: number, to: number, isBefore: (at: number) => boolean): number {
  let [low, high] = [from, to]
  // 2^-40 of the range is far below one ppm.
  for (let step = 0; step < 40; step++) {
    const middle = (low + high) / 2
    if (isBefore(middle)) low = middle
    else high = middle
  }
  return (low + high) / 2
}

/** A validator who knows everything would make the likelihood's logarithm infinite at a single slip. */
const MAX_SKILL = 0.999

/**
 * How much more the slope varies between tasks than independent verdicts would make it (sandwich estimate);
 * at least 1, at most the number of questions.
 */
function clustering(trials: readonly Trial[], skill: number): number {
  const byTask = new Map<string, number>()
  let independent = 0
  for (const { task, belief, habit } of trials) {
    const score = (belief - habit) / (skill * belief + (1 - skill) * habit)
    byTask.set(task, (byTask.get(task) ?? 0) + score)
    independent += score * score
  }
  let clustered = 0
  for (const score of byTask.values()) clustered += score * score
  return independent === 0 ? 1 : Math.min(QUESTIONS.length, Math.max(1, clustered / independent))
}

/** Maximum-likelihood skill with its bounds, as shares. The log-likelihood is concave in the skill. */
function fitSkill(trials: readonly Trial[]): { value: number; low: number; high: number } {
  const value = slope(trials, 0) <= 0 ? 0 : crossing(0, MAX_SKILL, skill => slope(trials, skill) > 0)
  const best = logLikelihood(trials, value)
  const spread = clustering(trials, value)
  const isWithin = (z: number) => (skill: number) =>
    best - logLikelihood(trials, skill) <= (z * z * spread) / 2
  const [isAboveLow, isBelowHigh] = [isWithin(Z_LOW), isWithin(Z_HIGH)]
  return {
    value,
    low: isAboveLow(0) ? 0 : crossing(0, value, skill => !isAboveLow(skill)),
    high: isBelowHigh(MAX_SKILL) ? 1 : crossing(value, MAX_SKILL, isBelowHigh),
  }
}

const floorPpm = (share: number) => Math.floor(share * PPM)
const ceilPpm = (share: number) => Math.min(PPM, Math.ceil(share * PPM))

function weigh(skill: { low: number; high: number }): { standing: Standing; weightPpm: number } {
  const highPpm = ceilPpm(skill.high)
  const reachesFull = highPpm >= FULL_SKILL_PPM
  if (floorPpm(skill.low) > 0)
    return { standing: 'kept', weightPpm: reachesFull ? PPM : Math.floor((highPpm * PPM) / FULL_SKILL_PPM) }
  return { standing: reachesFull ? 'unproven' : 'dropped', weightPpm: 0 }
}

function scoreOne(
  validator: Address,
  own: readonly Verdict[],
  truth: TruthEstimate,
  gold: ReadonlyMap<string, Choice>,
): ValidatorScore {
  const trials = trialsOf(own, truth)
  const skill = fitSkill(trials)
  const chance = trials.reduce((sum, trial) => sum + trial.habitBelief, 0) / trials.length
  const accuracy = (share: number) => share + (1 - share) * chance
  const decided = own.filter(verdict => verdict.choice !== 'tie')
  const first = decided.filter(verdict => verdict.choice === verdict.shownFirst).length
  const choseFirst = decided.length === 0 ? null : wilsonInterval(first, decided.length)
  const onGold = own.filter(verdict => gold.has(itemKey(verdict)))
  const goldRight = onGold.filter(verdict => gold.get(itemKey(verdict)) === verdict.choice).length
  return {
    validator,
    ...weigh(skill),
    tasks: new Set(own.map(verdict => verdict.pairId)).size,
    verdicts: own.length,
    skill: {
      valuePpm: floorPpm(skill.value),
      lowPpm: floorPpm(skill.low),
      highPpm: ceilPpm(skill.high),
      n: own.length,
    },
    accuracy: {
      valuePpm: floorPpm(accuracy(skill.value)),
      lowPpm: floorPpm(accuracy(skill.low)),
      highPpm: ceilPpm(accuracy(skill.high)),
      n: own.length,
    },
    chancePpm: floorPpm(chance),
    gold: onGold.length === 0 ? null : wilsonInterval(goldRight, onGold.length),
    choseFirst,
    isPositionBiased:
      choseFirst !== null &&
      (choseFirst.lowPpm > POSITION_BAND_PPM.high || choseFirst.highPpm < POSITION_BAND_PPM.low),
  }
}

function preferenceOf(pairId: string, question: Question, posterior: Posterior): AggregatedPreference {
  const a = Math.round(posterior.a * PPM)
  const b = Math.min(PPM - a, Math.round(posterior.b * PPM))
  const posteriorPpm = { a, b, tie: PPM - a - b }
  const { tie } = posteriorPpm
  const choice = a > b && a > tie ? 'a' : b > a && b > tie ? 'b' : 'tie'
  return { pairId, question, posteriorPpm, choice }
}

function requireOneEach(verdicts: readonly Verdict[]): void {
  const seen = new Set<string>()
  for (const verdict of verdicts) {
    const key = `${verdict.validator}\n${itemKey(verdict)}`
    if (seen.has(key))
      throw new OpenLedgerError('malformed', 'a validator judged one question of a pair twice', {
        expected: 'one verdict each',
        seen: `${verdict.question} of pair ${verdict.pairId}`,
      })
    seen.add(key)
  }
}

/**
 * Scores a round. Deterministic: neither the order of the verdicts nor the machine changes the result.
 * @param verdicts every verdict of the round, gold tasks included
 * @throws OpenLedgerError malformed when a validator judged one question of a pair twice
 */
export function scoreValidators(verdicts: readonly Verdict[], gold: readonly GoldVerdict[]): RoundScores {
  requireOneEach(verdicts)
  const goldChoice = new Map(gold.map(item => [itemKey(item), item.choice]))
  const byValidator = new Map<Address, Verdict[]>()
  const sorted = [...verdicts].sort(
    (left, right) => byText(left.validator, right.validator) || byText(itemKey(left), itemKey(right)),
  )
  for (const verdict of sorted) {
    const own = byValidator.get(verdict.validator)
    if (own === undefined) byValidator.set(verdict.validator, [verdict])
    else own.push(verdict)
  }
  const scoreAll = (truth: TruthEstimate) =>
    [...byValidator].map(([validator, own]) => scoreOne(validator, own, truth, goldChoice))
  const withoutDropped = (scores: readonly ValidatorScore[]) => {
    const dropped = new Set(
      scores.filter(score => score.standing === 'dropped').map(score => score.validator),
    )
    return sorted.filter(verdict => !dropped.has(verdict.validator))
  }

  const first = scoreAll(estimateTruth(sorted, gold))
  const validators = scoreAll(estimateTruth(withoutDropped(first), gold))
  const truth = estimateTruth(withoutDropped(validators), gold)

  const kept = new Set(validators.filter(score => score.standing === 'kept').map(score => score.validator))
  const alphaOf = (questions: readonly Question[]) => {
    const units = new Map<string, string[]>()
    for (const verdict of sorted) {
      if (
        !kept.has(verdict.validator) ||
        goldChoice.has(itemKey(verdict)) ||
        !questions.includes(verdict.question)
      )
        continue
      units.set(itemKey(verdict), [...(units.get(itemKey(verdict)) ?? []), verdict.choice])
    }
    const alpha = krippendorffAlpha([...units.values()])
    return alpha === undefined ? null : floorPpm(alpha)
  }
  const preferences = [...truth.posteriors]
    .filter(([key]) => !goldChoice.has(key))
    .map(([key, posterior]) => {
      const cut = key.indexOf('\n')
      return preferenceOf(key.slice(cut + 1), key.slice(0, cut) as Question, posterior)
    })
    .sort((left, right) => byText(itemKey(left), itemKey(right)))
  return {
    validators,
    alphaPpm: {
      ethics: alphaOf(['ethics']),
      logic: alphaOf(['logic']),
      function: alphaOf(['function']),
      all: alphaOf(QUESTIONS),
    },
    preferences,
    steps: truth.steps,
    converged: truth.converged,
  }
}
