import type { WarrantedMachine } from '../../domain/governance/warrant.ts'
import { parseBytes32 } from '../../domain/protocol/hex.ts'
import { continueBuild } from '../../domain/training/continue-build.ts'
import { deps } from '../deps.ts'
import { logger } from '../http/endpoint.ts'

type Event = {
  runId: string
  proposalId: string
  machine: WarrantedMachine
  execution: string
  passed: boolean
  output: Record<string, unknown>
}

/** The last state of a warranted machine: ends the run and starts the next step of a `build`. */
export const handler = async (event: Event) => {
  const next = await continueBuild(
    {
      genesis: deps.genesis(),
      proposals: deps.proposals(),
      warrants: deps.warrants(),
      runs: deps.runs(),
      signer: deps.warrantSigner(),
      machines: deps.machines(),
    },
    {
      ...event,
      runId: parseBytes32(event.runId),
      proposalId: parseBytes32(event.proposalId),
      now: Date.now(),
    },
  )
  logger.info('run.ended', {
    runId: event.runId,
    machine: event.machine,
    passed: event.passed,
    next: next.machine ?? 'none',
  })
  return next
}
