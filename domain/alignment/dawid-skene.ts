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

// Looked up once: these run a million times a round.
const { abs, log, max } = Math

/** Pseudo-counts: a validator is believed right in 2 of 3 verdicts until the evidence says otherwise. */
const PRIOR_RIGHT = 2
const PRIOR_WRONG = 0.5
/** Pseudo-counts of the true choices of a question. */
const PRIOR_CLASS = 1
const MAX_STEPS = 500
/** Steps stop when no probability moved more; far below one ppm. */
const TOLERANCE = 1e-9

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
  /** By question: logarithm of likelihood times prior after each step; never falls. */
  readonly logPosteriors: readonly (readonly number[])[]
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

type Item = {
  readonly key: string
  readonly said: readonly Verdict[]
  /** The truth of a gold item. */
  readonly known: Choice | undefined
  belief: Posterior
}

/** Items of one question, and the verdicts on each, both in sorted order. */
function itemsOf(
  verdicts: readonly Verdict[],
  question: Question,
  gold: ReadonlyMap<string, Choice>,
): Item[] {
  const saidOf = new Map<string, Verdict[]>()
  const sorted = verdicts
    .filter(verdict => verdict.question === question)
    .sort((left, right) => byText(left.pairId, right.pairId) || byText(left.validator, right.validator))
  for (const verdict of sorted) {
    const said = saidOf.get(itemKey(verdict))
    if (said === undefined) saidOf.set(itemKey(verdict), [verdict])
    else said.push(verdict)
  }
  return [...saidOf].map(([key, said]) => {
    const known = gold.get(key)
    return { key, said, known, belief: known === undefined ? majority(said) : certain(known) }
  })
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
function fitModel(items: readonly Item[]): QuestionModel {
  const shares = { a: PRIOR_CLASS, b: PRIOR_CLASS, tie: PRIOR_CLASS }
  const counts = new Map<
    Address,
    { right: number; wrong: number; decidedTie: number; tie: number; tiedDecided: number }
  >()
  for (const { said, belief } of items) {
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
  for (const choice of CHOICES) sum += PRIOR_CLASS * log(model.shares[choice])
  for (const { decided, tied } of model.confusions.values())
    sum +=
      PRIOR_RIGHT * log(decided.right) +
      PRIOR_WRONG * log(decided.wrong) +
      PRIOR_WRONG * log(decided.tie) +
      PRIOR_RIGHT * log(tied.tie) +
      2 * PRIOR_WRONG * log(tied.decided)
  return sum
}

type Climb = { model: QuestionModel; steps: number; converged: boolean; logPosterior: number[] }

/** Estimates one question; leaves each item's belief at the result. */
function climb(items: readonly Item[]): Climb {
  const logPosterior: number[] = []
  let model = fitModel(items)
  let moved = Number.POSITIVE_INFINITY
  while (logPosterior.length < MAX_STEPS && moved > TOLERANCE) {
    moved = 0
    let total = logPrior(model)
    for (const item of items) {
      const weights = joint(model, item.said)
      if (item.known !== undefined) {
        total += log(weights[item.known])
        continue
      }
      total += log(weights.a + weights.b + weights.tie)
      const after = normalized(weights)
      for (const choice of CHOICES) moved = max(moved, abs(after[choice] - item.belief[choice]))
      item.belief = after
    }
    logPosterior.push(total)
    model = fitModel(items)
  }
  return { model, steps: logPosterior.length, converged: moved <= TOLERANCE, logPosterior }
}

/** Runs the estimation on the given verdicts; deterministic. Gold items keep their known truth throughout. */
export function estimateTruth(verdicts: readonly Verdict[], gold: readonly GoldVerdict[]): TruthEstimate {
  const known = new Map(gold.map(item => [itemKey(item), item.choice]))
  const items = QUESTIONS.map(question => itemsOf(verdicts, question, known))
  const climbs = items.map(climb)
  const itemAt = new Map(items.flat().map(item => [item.key, item]))
  return {
    posteriors: new Map(items.flat().map(item => [item.key, item.belief])),
    steps: max(...climbs.map(({ steps }) => steps)),
    converged: climbs.every(({ converged }) => converged),
    logPosteriors: climbs.map(({ logPosterior }) => logPosterior),
    posteriorWithout(validator, verdict) {
      const choice = known.get(itemKey(verdict))
      if (choice !== undefined) return certain(choice)
      const { model } = climbs[QUESTIONS.indexOf(verdict.question)]!
      return normalized(joint(model, itemAt.get(itemKey(verdict))?.said ?? [], validator))
    },
  }
}
