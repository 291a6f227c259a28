import type { SaidVerdict } from '../../api/schemas/alignment.ts'
import { OpenLedgerError } from '../errors.ts'
import type { Genesis } from '../governance/genesis.ts'
import { type Bytes32, parseAddress, parseSha256Hex, sha256ToBytes32 } from '../protocol/hex.ts'
import { documentId } from '../protocol/ids.ts'
import { normalizeSignature, requireSigner } from '../protocol/typed-data.ts'
import type { Round, RoundBook } from './ports.ts'

export type SubmitJudgmentDeps = {
  readonly genesis: Genesis
  readonly rounds: RoundBook
  /** Tells the waiting machine that every task is judged; telling it twice changes nothing. */
  readonly complete: (round: Round) => Promise<void>
}

/**
 * Records one signed verdict. A task is judged once; the same verdict again is the same judgment.
 * @throws OpenLedgerError not-found, not-eligible, bad-signature, wrong-signer, round-closed, conflict
 */
export async function submitJudgment(
  deps: SubmitJudgmentDeps,
  input: {
    roundId: Bytes32
    taskId: string
    validator: string
    verdict: SaidVerdict
    nonce: number
    signature: string
    receivedAt: number
  },
): Promise<{ judged: number; tasks: number }> {
  const validator = parseAddress(input.validator)
  const taskId = parseSha256Hex(input.taskId)
  requireSigner(
    deps.genesis,
    'Judgment',
    {
      roundId: input.roundId,
      taskId: sha256ToBytes32(taskId),
      validator,
      verdictHash: documentId(input.verdict),
      nonce: input.nonce,
    },
    input.signature,
    validator,
  )
  const task = await deps.rounds.task(input.roundId, taskId)
  if (task === null) {
    throw new OpenLedgerError('not-found', 'There is no such task in this round', { seen: input.taskId })
  }
  if (task.validator !== validator) {
    throw new OpenLedgerError('not-eligible', 'This task was given to another validator', {
      expected: 'a task of your own: GET /v1/rounds/{id}/tasks?validator=',
      seen: validator,
    })
  }
  const written = await deps.rounds.judge(input.roundId, task, {
    verdict: input.verdict,
    nonce: input.nonce,
    signature: normalizeSignature(input.signature),
    receivedAt: input.receivedAt,
  })
  const round = await deps.rounds.get(input.roundId)
  if (round === null)
    throw new OpenLedgerError('not-found', 'There is no such round', { seen: input.roundId })
  if (written === 'round-closed') {
    throw new OpenLedgerError('round-closed', 'This round takes no more judgments', {
      expected: `before ${new Date(round.closesAt).toISOString()}`,
    })
  }
  if (written === 'judged-before') await requireSame(deps, input)
  // Said again by a repeated judgment too, so that a crash after the last one does not leave the machine waiting.
  if (round.judged >= round.tasks && round.state === 'open') await deps.complete(round)
  return { judged: round.judged, tasks: round.tasks }
}

async function requireSame(
  deps: SubmitJudgmentDeps,
  input: { roundId: Bytes32; taskId: string; verdict: SaidVerdict },
) {
  const task = await deps.rounds.task(input.roundId, parseSha256Hex(input.taskId))
  if (task?.judgment != null && documentId(task.judgment.verdict) === documentId(input.verdict)) return
  throw new OpenLedgerError('conflict', 'A task is judged once', {
    expected: 'the verdict that is recorded',
    seen: 'another verdict',
  })
}
