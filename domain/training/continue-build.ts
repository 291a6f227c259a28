import { OpenLedgerError } from '../errors.ts'
import { type ExecuteProposalDeps, startWarranted } from '../governance/execute-proposal.ts'
import { buildStepInput, type WarrantedMachine } from '../governance/warrant.ts'
import type { Bytes32 } from '../protocol/hex.ts'
import type { RunBook } from './ports.ts'
import { parentOutput } from './start-run.ts'

export type ContinueBuildDeps = Pick<
  ExecuteProposalDeps,
  'genesis' | 'proposals' | 'warrants' | 'signer' | 'machines'
> & {
  readonly runs: RunBook
}

const NEXT: Readonly<Record<WarrantedMachine, readonly WarrantedMachine[]>> = {
  'fine-tune': ['align', 'release'],
  align: ['release'],
  release: [],
}

/**
 * Ends a run and, where its vote was on a `build`, mints the warrant of the next step and starts it. A
 * fine-tune whose gate failed ends the build. An alignment that was not promoted does not: its output names
 * the parent as the version to serve.
 */
export async function continueBuild(
  deps: ContinueBuildDeps,
  end: {
    runId: Bytes32
    proposalId: Bytes32
    machine: WarrantedMachine
    execution: string
    passed: boolean
    output: Record<string, unknown>
    now: number
  },
): Promise<Record<string, string>> {
  const goesOn = end.passed || end.machine === 'align'
  if (goesOn) await deps.warrants.succeed(end.proposalId, end.machine, end.execution)
  await deps.runs.end(end.runId, end.execution, {
    state: end.passed ? 'succeeded' : 'gate-failed',
    endedAt: end.now,
    failure: null,
    output: end.output,
  })
  if (!goesOn) return {}

  const proposal = await deps.proposals.get(end.proposalId)
  if (proposal === null || proposal.result === null) {
    throw new OpenLedgerError('not-found', 'The vote behind this run is not there', { seen: end.proposalId })
  }
  const { action } = proposal.document
  if (action.type !== 'build') return {}
  for (const machine of NEXT[end.machine]) {
    const parent = await parentOutput(deps, machine, end.proposalId)
    const input = buildStepInput(action.input, machine, parent)
    if (input !== null) return startWarranted(deps, proposal, proposal.result, machine, input)
  }
  return {}
}
