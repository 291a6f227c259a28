import { OpenLedgerError } from '../errors.ts'
import type { Address, Bytes32 } from '../protocol/hex.ts'
import { documentId } from '../protocol/ids.ts'
import { assignTasks } from './assign-tasks.ts'
import type { AnswerPair, Round, RoundBook, RoundPurpose, StoredTask } from './ports.ts'

/** Enough known answers for each validator to tell a careful one from chance, few enough not to be noticed. */
export const GOLD_PER_VALIDATOR = 8

export function roundIdOf(runId: Bytes32, purpose: RoundPurpose): Bytes32 {
  return documentId({ runId, purpose })
}

/**
 * Who is asked: not those whom an earlier round of the same run showed to know no better than chance, since a pair
 * that only they judge is lost; unless too few would be left.
 */
export function askedValidators(
  vouched: readonly Address[],
  earlier: Pick<Round, 'scores'> | null,
  judgmentsPerPair: number,
): readonly Address[] {
  const scores = earlier?.scores?.validators ?? []
  const dropped = new Set(scores.filter(score => score.standing === 'dropped').map(score => score.validator))
  const left = vouched.filter(validator => !dropped.has(validator))
  return left.length >= judgmentsPerPair ? left : vouched
}

/**
 * Opens a round of judging: assigns every pair to validators with sides drawn at random and gold pairs mixed
 * in. Opening it again finds the same seed and therefore the same tasks.
 * @throws OpenLedgerError not-eligible when there are too few validators
 */
export async function openRound(
  deps: { rounds: RoundBook },
  input: {
    runId: Bytes32
    purpose: RoundPurpose
    pairs: readonly AnswerPair[]
    gold: readonly AnswerPair[]
    validators: readonly Address[]
    judgmentsPerPair: number
    seconds: number
    taskToken: string
    seed: string
    now: number
  },
): Promise<Round> {
  if (input.validators.length < input.judgmentsPerPair) {
    throw new OpenLedgerError('not-eligible', 'Too few validators for this round', {
      expected: `at least ${input.judgmentsPerPair} accounts that governors vouched for as validators`,
      seen: String(input.validators.length),
    })
  }
  const id = roundIdOf(input.runId, input.purpose)
  const validators = [...input.validators].sort()
  const assign = ({ seed, validators }: Pick<Round, 'seed' | 'validators'>) =>
    assignTasks(
      input.pairs.map(pair => pair.pairId),
      input.gold.map(pair => pair.pairId),
      validators,
      { roundId: id, seed, judgmentsPerPair: input.judgmentsPerPair, goldPerValidator: GOLD_PER_VALIDATOR },
    )
  const round = await deps.rounds.open({
    id,
    runId: input.runId,
    purpose: input.purpose,
    state: 'open',
    opensAt: input.now,
    closesAt: input.now + input.seconds * 1_000,
    seed: input.seed,
    validators,
    tasks: assign({ seed: input.seed, validators }).length,
    judged: 0,
    taskToken: input.taskToken,
    scores: null,
  })
  const pairOf = new Map([...input.pairs, ...input.gold].map(pair => [pair.pairId, pair]))
  const tasks = assign(round).map((task): StoredTask => {
    const pair = pairOf.get(task.pairId)
    if (pair === undefined) throw new OpenLedgerError('internal', 'A task of a pair that is not there')
    const [first, second] = task.shownFirst === 'a' ? [pair.a, pair.b] : [pair.b, pair.a]
    return { ...task, messages: pair.messages, first, second, judgment: null }
  })
  await deps.rounds.addTasks(id, tasks)
  return round
}
