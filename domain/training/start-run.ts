import { OpenLedgerError } from '../errors.ts'
import type { Genesis } from '../governance/genesis.ts'
import type { DigestSigner, PublicFiles, WarrantBook } from '../governance/ports.ts'
import { checkWarrant, type ParentOutput, runIdOf, type WarrantedMachine } from '../governance/warrant.ts'
import { type Bytes32, parseBytes32 } from '../protocol/hex.ts'
import type { RunBook } from './ports.ts'

export type StartRunDeps = {
  readonly genesis: Genesis
  readonly signer: Pick<DigestSigner, 'address'>
  readonly files: Pick<PublicFiles, 'get'>
  readonly warrants: WarrantBook
  readonly runs: RunBook
}

/**
 * Lets one execution of a warranted machine pass its first state: checks the warrant and the vote behind it,
 * then takes the warrant for this execution and begins the run.
 * @throws OpenLedgerError warrant-missing, warrant-invalid, warrant-expired, warrant-input-mismatch, warrant-used
 */
export async function startRun(
  deps: StartRunDeps,
  start: { machine: WarrantedMachine; execution: string; started: unknown; now: number },
): Promise<{
  runId: Bytes32
  warrantId: Bytes32
  proposalId: Bytes32
  attempt: number
  budgetUsdMicro: number
  input: unknown
}> {
  const { machine, execution, now } = start
  const claimed = claimedDocument(start.started)
  const checked = checkWarrant(
    {
      genesis: deps.genesis,
      signer: await deps.signer.address(),
      now,
      ballotFile:
        claimed === null
          ? null
          : await deps.files.get(`ballots/${claimed.proposalId}/${claimed.ballotFileSha256}.ndjson.gz`),
      parentOutput:
        claimed === null ? null : await parentOutput(deps, machine, parseBytes32(claimed.proposalId)),
    },
    machine,
    start.started,
  )
  const { document } = checked.warrant
  const proposalId = parseBytes32(document.proposalId)
  const kept = await deps.warrants.get(proposalId, machine)
  if (kept === null || kept.id !== checked.warrant.id) {
    throw new OpenLedgerError('warrant-invalid', 'This warrant was never issued', {
      expected: kept?.id ?? 'a warrant in the book',
      seen: checked.warrant.id,
    })
  }
  if (!(await deps.warrants.use(proposalId, machine, execution, checked.attempt))) {
    throw new OpenLedgerError('warrant-used', 'Another execution holds this warrant', {
      expected: kept.usedBy ?? 'an unused warrant',
      seen: execution,
    })
  }
  await deps.runs.begin({
    id: checked.runId,
    kind: machine,
    proposalId,
    warrantId: checked.warrant.id,
    attempt: checked.attempt,
    execution,
    state: 'running',
    startedAt: now,
    endedAt: null,
    failure: null,
    checkpointPrefix: null,
    output: null,
  })
  return {
    runId: checked.runId,
    warrantId: checked.warrant.id,
    proposalId,
    attempt: checked.attempt,
    budgetUsdMicro: document.budgetUsdMicro,
    input: checked.input,
  }
}

/** The names under which the ballot file would lie. Nothing is believed here: checkWarrant checks it all. */
function claimedDocument(started: unknown): { proposalId: string; ballotFileSha256: string } | null {
  const document = (started as { warrant?: { document?: Record<string, unknown> } } | null)?.warrant?.document
  const { proposalId, ballotFileSha256 } = document ?? {}
  const plain =
    typeof proposalId === 'string' &&
    /^0x[0-9a-f]{64}$/.test(proposalId) &&
    typeof ballotFileSha256 === 'string' &&
    /^[0-9a-f]{64}$/.test(ballotFileSha256)
  return plain ? { proposalId, ballotFileSha256 } : null
}

/** The version that the step before in the same vote made; null for a first step. */
export async function parentOutput(
  deps: Pick<StartRunDeps, 'warrants' | 'runs'>,
  machine: WarrantedMachine,
  proposalId: Bytes32,
): Promise<ParentOutput> {
  const before = ({ 'fine-tune': [], align: ['fine-tune'], release: ['align', 'fine-tune'] } as const)[
    machine
  ]
  for (const step of before) {
    const warrant = await deps.warrants.get(proposalId, step)
    if (warrant === null || !warrant.succeeded) continue
    const run = await deps.runs.get(runIdOf(warrant.id, warrant.attempts))
    const version = run?.output?.servedVersion ?? run?.output?.version
    if (typeof version === 'string') return { version: parseBytes32(version) }
  }
  return null
}
