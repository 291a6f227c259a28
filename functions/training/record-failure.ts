import { parseBytes32 } from '../../domain/protocol/hex.ts'
import { deps } from '../deps.ts'
import { logger } from '../http/endpoint.ts'

type Event = {
  machine: string
  execution: string
  /** From the machine's own catch: a run's id for warranted machines; else what the execution was about. */
  subject?: string
  /** From the account's bus: the execution's input as text; null when it was too large to be told. */
  input?: string | null
  failure: { Error?: string; Cause?: string }
}

/** DynamoDB items are at most 400 kB, and the first lines of a cause are the ones that help. */
const MAX_CAUSE_CHARACTERS = 4_000

/**
 * Leaves a record of why an execution failed, where an admin and the run's page look for it. Only the execution
 * that holds a run ends it: one that was refused at its first state says nothing about the run that it named.
 */
export const handler = async (event: Event) => {
  const failure = {
    error: event.failure.Error ?? 'unknown',
    cause: (event.failure.Cause ?? '').slice(0, MAX_CAUSE_CHARACTERS),
  }
  logger.error('execution.failed', { machine: event.machine, execution: event.execution, ...failure })
  const subject = event.subject ?? runIdIn(event.input)
  if (/^0x[0-9a-f]{64}$/.test(subject)) {
    await deps.runs().end(parseBytes32(subject), event.execution, {
      state: 'failed',
      endedAt: Date.now(),
      failure,
      output: null,
    })
  }
  return failure
}

/** Anybody who may start an execution writes its input: what it says is only ever compared with the run's record. */
function runIdIn(input: string | null | undefined): string {
  try {
    const { runId } = JSON.parse(input ?? '{}') as { runId?: unknown }
    return typeof runId === 'string' ? runId : ''
  } catch {
    return ''
  }
}
