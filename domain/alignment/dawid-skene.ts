/**
 * The true choice of every item, and how each validator errs, from choices alone (Dawid and Skene 1979, by
 * expectation maximization), with gold items as known truths.
 *
 * The names a and b of a pair's answers are arbitrary and the sides were random, so a validator cannot err
 * differently on one of them: the confusion matrix is tied under a <-> b. Each question has matrices of its
 * own. Matrices and class shares have a Dirichlet prior (pseudo-counts), so that a validator with three
 * verdicts is not declared perfect; what is climbed is the posterior, which never falls from one step to the
 * next. Everything is summed in sorted order: the result does not depend on the order of the input.
 */
import type { Address } from '../protocol/hex.ts'
import {
  CHOICES,
  type Choice,
  type GoldVerdict,
  itemKey,
  type Posterior,
  QUESTIONS,
  type Question,
  type Verdict,
} from './verdicts.ts'

/** Pseudo-counts: a validator is believed right in 2 of 3 verdicts until the evidence says otherwise. */
const PRIOR_RIGHT = 2
const PRIOR_WRONG = 0.5
/** Pseudo-counts of the true choices of a question. */
const PRIOR_CLASS = 1
export const MAX_STEPS = 500
/** Steps stop when no probability moved more; far below one ppm. */
export const TOLERANCE = 1e-9

/** P(said | truth) of one validator and question, tied under a <-> b. */
export type Confusion = {
  /** Truth a or b: said that one, the other one, a tie. */
  readonly decided: { readonly right: number; readonly wrong: number; readonly tie: number }
  /** Truth tie: said a tie, said a or b (either, half of it each). */
  readonly tied: { readonly tie: number; readonly decided: number }
}

export type TruthEstimate = {
  /** By `itemKey`. */
  readonly posteriors: ReadonlyMap<string, Posterior>
  /** The same without one validator's own verdict, by which that validator can be measured fairly. */
  posteriorWithout(validator: Address, verdict: Verdict): Posterior
  readonly steps: number
  readonly converged: boolean
  /** Logarithm of likelihood times prior after each step; never falls. */
  readonly logPosterior: readonly number[]
}

type QuestionModel = { shares: Posterior; confusions: Map<Address, Confusion> }

function likelihood(confusion: Confusion, truth: Choice, said: Choice): number {
  if (truth === 'tie') return said === 'tie' ? confusion.tied.tie : confusion.tied.decided / 2
  if (said === 'tie') return confusion.decided.tie
  return said === truth ? confusion.decided.right : confusion.decided.wrong
}

function normalized(weights: { [choice in Choice]: number }): Posterior {
  const sum = weights.a + weights.b + weights.tie
  return { a: weights.a / sum, b: weights.b / sum, tie: weights.tie / sum }
}

const byText = (left: string, right: string) => (left < right ? -1 : left > right ? 1 : 0)

/** Verdicts of one question by pair, both in sorted order. */
function itemsOf(verdicts: readonly Verdict[], question: Question): [string, Verdict[]][] {
  const items = new Map<string, Verdict[]>()
  const mine = verdicts
    .filter(verdict => verdict.question === question)
    .sort((left, right) => byText(left.pairId, right.pairId) || byText(left.validator, right.validator))
  for (const verdict of mine) {
    const item = items.get(verdict.pairId)
    if (item === undefined) items.set(verdict.pairId, [verdict])
    else item.push(verdict)
  }
  return [...items]
}

function certain(choice: Choice): Posterior {
  return { a: choice === 'a' ? 1 : 0, b: choice === 'b' ? 1 : 0, tie: choice === 'tie' ? 1 : 0 }
}

/** Where the climb begins: the share of each choice among an item's verdicts, lightly smoothed. */
function majority(said: readonly Verdict[]): Posterior {
  const votes = { a: 0.1, b: 0.1, tie: 0.1 }
  for (const verdict of said) votes[verdict.choice]++
  return normalized(votes)
}

/** The model that fits the present beliefs best (M step). */
function fitModel(
  items: readonly [string, Verdict[]][],
  truth: ReadonlyMap<string, Posterior>,
): QuestionModel {
  const shares = { a: PRIOR_CLASS, b: PRIOR_CLASS, tie: PRIOR_CLASS }
  const counts = new Map<
    Address,
    { right: number; wrong: number; decidedTie: number; tie: number; tiedDecided: number }
  >()
  for (const [pairId, said] of items) {
    const belief = truth.get(pairId)!
    for (const choice of CHOICES) shares[choice] += belief[choice]
    for (const { validator, choice } of said) {
      const count = counts.get(validator) ?? {
        right: PRIOR_RIGHT,
        wrong: PRIOR_WRONG,
        decidedTie: PRIOR_WRONG,
        tie: PRIOR_RIGHT,
        tiedDecided: 2 * PRIOR_WRONG,
      }
      if (choice === 'tie') {
        count.decidedTie += belief.a + belief.b
        count.tie += belief.tie
      } else {
        count.right += belief[choice]
        count.wrong += belief[choice === 'a' ? 'b' : 'a']
        count.tiedDecided += belief.tie
      }
      counts.set(validator, count)
    }
  }
  const confusions = new Map<Address, Confusion>()
  for (const [validator, count] of counts) {
    const decided = count.right + count.wrong + count.decidedTie
    const tied = count.tie + count.tiedDecided
    confusions.set(validator, {
      decided: {
        right: count.right / decided,
        wrong: count.wrong / decided,
        tie: count.decidedTie / decided,
      },
      tied: { tie: count.tie / tied, decided: count.tiedDecided / tied },
    })
  }
  return { shares: normalized(shares), confusions }
}

/** Joint probability of an item's verdicts with each truth, leaving out one validator if asked. */
function joint(
  model: QuestionModel,
  said: readonly Verdict[],
  without?: Address,
): { [choice in Choice]: number } {
  const weights = { ...model.shares }
  for (const { validator, choice } of said) {
    if (validator === without) continue
    const confusion = model.confusions.get(validator)!
    for (const truth of CHOICES) weights[truth] *= likelihood(confusion, truth, choice)
  }
  return weights
}

function logPrior(model: QuestionModel): number {
  // A pseudo-count c enters as c * log p (a Dirichlet with parameter c + 1), whose mode the M step is.
  let sum = 0
  for (const choice of CHOICES) sum += PRIOR_CLASS * Math.log(model.shares[choice])
  for (const { decided, tied } of model.confusions.values())
    sum +=
      PRIOR_RIGHT * Math.log(decided.right) +
      PRIOR_WRONG * Math.log(decided.wrong) +
      PRIOR_WRONG * Math.log(decided.tie) +
      PRIOR_RIGHT * Math.log(tied.tie) +
      2 * PRIOR_WRONG * Math.log(tied.decided)
  return sum
}

/** Runs the estimation on the given verdicts; deterministic. Gold items keep their known truth throughout. */
export function estimateTruth(verdicts: readonly Verdict[], gold: readonly GoldVerdict[]): TruthEstimate {
  const known = new Map(gold.map(item => [itemKey(item), item.choice]))
  const items = new Map(QUESTIONS.map(question => [question, itemsOf(verdicts, question)]))
  const truth = new Map(QUESTIONS.map(question => [question, new Map<string, Posterior>()]))
  for (const question of QUESTIONS)
    for (const [pairId, said] of items.get(question)!) {
      const choice = known.get(itemKey({ pairId, question }))
      truth.get(question)!.set(pairId, choice === undefined ? majority(said) : certain(choice))
    }

  const models = new Map<Question, QuestionModel>()
  const logPosterior: number[] = []
  let moved = Number.POSITIVE_INFINITY
  let steps = 0
  for (; steps < MAX_STEPS && moved > TOLERANCE; steps++) {
    moved = 0
    let total = 0
    for (const question of QUESTIONS) {
      const beliefs = truth.get(question)!
      const model = fitModel(items.get(question)!, beliefs)
      models.set(question, model)
      total += logPrior(model)
      for (const [pairId, said] of items.get(question)!) {
        const weights = joint(model, said)
        const choice = known.get(itemKey({ pairId, question }))
        total += Math.log(choice === undefined ? weights.a + weights.b + weights.tie : weights[choice])
        if (choice !== undefined) continue
        const before = beliefs.get(pairId)!
        const after = normalized(weights)
        for (const option of CHOICES) moved = Math.max(moved, Math.abs(after[option] - before[option]))
        beliefs.set(pairId, after)
      }
    }
    logPosterior.push(total)
  }

  const posteriors = new Map<string, Posterior>()
  for (const question of QUESTIONS)
    for (const [pairId, belief] of truth.get(question)!) posteriors.set(itemKey({ pairId, question }), belief)
  const saidOf = new Map(
    QUESTIONS.flatMap(question =>
      items.get(question)!.map(([pairId, said]) => [itemKey({ pairId, question }), said]),
    ),
  )
  return {
    posteriors,
    steps,
    converged: moved <= TOLERANCE,
    logPosterior,
    posteriorWithout(validator, verdict) {
      const choice = known.get(itemKey(verdict))
      if (choice !== undefined) return certain(choice)
      const model = models.get(verdict.question)!
      return normalized(joint(model, saidOf.get(itemKey(verdict)) ?? [], validator))
    },
  }
}
