/**
 * Pay and penalties of validators, from the scores of a round (score-validators.ts). Amounts are base units
 * of the stage's token.
 *
 *   earned   = floor(tasks * payPerTask * weightPpm / 1_000_000)
 *   deferred = tasks * payPerTask for an unproven validator, else 0: paid by the weight of a later round that
 *              has the evidence
 *   penalty  = floor(held * (FULL_SKILL_PPM - skillHighPpm) / FULL_SKILL_PPM) for a dropped validator, else 0
 *
 * Gold tasks are paid like the others, since nobody can tell them apart. A penalty takes at most what is held
 * of the same account's own unpaid rewards: there is no stake to lose and nobody is left owing.
 */
import { OpenLedgerError } from '../errors.ts'
import { FULL_SKILL_PPM, type ValidatorScore } from './score-validators.ts'

const PPM = 1_000_000n

type PayScore = Pick<ValidatorScore, 'standing' | 'weightPpm' | 'tasks'>

/** A validator's share of a pool for judging: tasks * weightPpm; 0 for the dropped and the unproven. */
export function judgmentWeight(score: Pick<ValidatorScore, 'weightPpm' | 'tasks'>): bigint {
  return BigInt(score.tasks) * BigInt(score.weightPpm)
}

export type ValidatorPay = { readonly earned: bigint; readonly deferred: bigint }

/** Pay for one round. @throws OpenLedgerError malformed for a negative price */
export function validatorPay(score: PayScore, payPerTask: bigint): ValidatorPay {
  if (payPerTask < 0n)
    throw new OpenLedgerError('malformed', 'pay cannot be negative', { expected: 'base units from 0' })
  return {
    earned: (judgmentWeight(score) * payPerTask) / PPM,
    deferred: score.standing === 'unproven' ? BigInt(score.tasks) * payPerTask : 0n,
  }
}

/**
 * What a round's evidence takes from the account's held rewards: more the surer it is that the validator knew
 * nothing, never more than `held`. @throws OpenLedgerError malformed for a negative amount
 */
export function validatorPenalty(score: Pick<ValidatorScore, 'standing' | 'skill'>, held: bigint): bigint {
  if (held < 0n)
    throw new OpenLedgerError('malformed', 'nothing negative is held', { expected: 'base units from 0' })
  if (score.standing !== 'dropped') return 0n
  const shortfallPpm = Math.max(0, FULL_SKILL_PPM - score.skill.highPpm)
  return (held * BigInt(shortfallPpm)) / BigInt(FULL_SKILL_PPM)
}
