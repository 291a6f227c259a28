import { OpenLedgerError } from '../../domain/errors.ts'
import type { WarrantedMachine } from '../../domain/governance/warrant.ts'
import { startRun } from '../../domain/training/start-run.ts'
import { deps } from '../deps.ts'
import { logger } from '../http/endpoint.ts'

const MACHINES: readonly string[] = ['fine-tune', 'align', 'release'] satisfies WarrantedMachine[]

/** The first state of every warranted machine. */
export const handler = async (event: { machine: string; execution: string; started: unknown }) => {
  if (!MACHINES.includes(event.machine)) {
    throw new OpenLedgerError('malformed', 'Not a warranted machine', {
      expected: MACHINES.join(', '),
      seen: event.machine,
    })
  }
  const run = await startRun(
    {
      genesis: deps.genesis(),
      signer: deps.warrantSigner(),
      files: deps.publicFiles(),
      warrants: deps.warrants(),
      runs: deps.runs(),
    },
    {
      machine: event.machine as WarrantedMachine,
      execution: event.execution,
      started: event.started,
      now: Date.now(),
    },
  )
  logger.info('run.started', { runId: run.runId, machine: event.machine, warrantId: run.warrantId })
  return run
}
