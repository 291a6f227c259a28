/** The words of judging: what was asked about a pair of answers, and what one validator said. */
import type { Address } from '../protocol/hex.ts'

/** Asked of every pair: is it right to do, does it follow from the need, does it work. */
export const QUESTIONS = ['ethics', 'logic', 'function'] as const
export type Question = (typeof QUESTIONS)[number]

/** The two answers of a pair, in the pair's own order, which no validator sees. */
export type Side = 'a' | 'b'
export const CHOICES = ['a', 'b', 'tie'] as const
/** Which answer is better by one question. */
export type Choice = (typeof CHOICES)[number]

/** One validator's choice by one question of one pair. */
export type Verdict = {
  readonly validator: Address
  readonly pairId: string
  readonly question: Question
  readonly choice: Choice
  /** The answer that this validator saw first. */
  readonly shownFirst: Side
}

/** An answer known before the round, put among the tasks to measure validators. */
export type GoldVerdict = { readonly pairId: string; readonly question: Question; readonly choice: Choice }

/** What a validator said in the order shown, in the pair's own order. */
export function choiceOf(said: 'first' | 'second' | 'tie', shownFirst: Side): Choice {
  if (said === 'tie') return 'tie'
  return (said === 'first') === (shownFirst === 'a') ? 'a' : 'b'
}

/** Probability of each choice being the true one; they sum to 1. */
export type Posterior = { readonly [choice in Choice]: number }

export const itemKey = (item: { readonly pairId: string; readonly question: Question }) =>
  `${item.question}\n${item.pairId}`
