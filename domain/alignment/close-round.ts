import { OpenLedgerError } from '../errors.ts'
import type { PublicFiles } from '../governance/ports.ts'
import { canonicalBytes } from '../protocol/canonical-json.ts'
import type { Bytes32 } from '../protocol/hex.ts'
import { sha256Hex } from '../protocol/ids.ts'
import type { AttributionLog } from '../training/ports.ts'
import type { AnswerPair, RoundBook, StoredTask } from './ports.ts'
import { type RoundScores, scoreValidators } from './score-validators.ts'
import { choiceOf, type GoldVerdict, QUESTIONS, type Verdict } from './verdicts.ts'

/**
 * Closes a round and scores its validators from every judgment that arrived. The seed, all judgments with
 * their signatures and the scores become a public file, so that anybody can score it again; the log gets a leaf.
 * @throws OpenLedgerError not-found
 */
export async function closeRound(
  deps: { rounds: RoundBook; files: Pick<PublicFiles, 'put'>; log: AttributionLog },
  input: { roundId: Bytes32; gold: readonly AnswerPair[] },
): Promise<{ scores: RoundScores; judged: number; tasks: number; file: { key: string; sha256: string } }> {
  const round = await deps.rounds.get(input.roundId)
  if (round === null)
    throw new OpenLedgerError('not-found', 'There is no such round', { seen: input.roundId })
  const tasks = await deps.rounds.tasks(round.id)
  const judged = tasks.filter(task => task.judgment !== null)
  const scores = scoreValidators(judged.flatMap(verdictsOf), input.gold.flatMap(goldVerdicts))

  const bytes = canonicalBytes({
    kind: 'judgment-round',
    schema: 1,
    roundId: round.id,
    runId: round.runId,
    purpose: round.purpose,
    seed: round.seed,
    validators: round.validators,
    tasks: tasks.map(publicTask),
    scores: { validators: scores.validators, alphaPpm: scores.alphaPpm },
  })
  const file = { key: `rounds/${round.id}.json`, sha256: sha256Hex(bytes) }
  await deps.files.put(file.key, bytes, 'application/json')
  await deps.log.append({
    kind: 'judgment-round',
    roundId: round.id,
    file: file.sha256,
    judged: judged.length,
  })
  await deps.rounds.close(round.id, { validators: scores.validators, agreementPpm: scores.alphaPpm.all })
  return { scores, judged: judged.length, tasks: tasks.length, file }
}

function verdictsOf(task: StoredTask): Verdict[] {
  const { judgment } = task
  if (judgment === null) return []
  return QUESTIONS.map(question => ({
    validator: task.validator,
    pairId: task.pairId,
    question,
    choice: choiceOf(judgment.verdict[question], task.shownFirst),
    shownFirst: task.shownFirst,
  }))
}

function goldVerdicts(pair: AnswerPair): GoldVerdict[] {
  const { truth } = pair
  if (truth === null) return []
  return QUESTIONS.map(question => ({ pairId: pair.pairId, question, choice: truth[question] }))
}

/** Whether a task was gold stays secret: gold pairs are used again. */
function publicTask({ taskId, validator, pairId, shownFirst, judgment }: StoredTask) {
  const said =
    judgment === null
      ? null
      : { verdict: judgment.verdict, nonce: judgment.nonce, signature: judgment.signature }
  return { taskId, validator, pairId, shownFirst, judgment: said }
}
