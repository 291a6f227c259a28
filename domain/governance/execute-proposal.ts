import type { Action } from '../../api/schemas/governance.ts'
import { OpenLedgerError } from '../errors.ts'
import type { Bytes32 } from '../protocol/hex.ts'
import { resourceName } from '../protocol/ids.ts'
import type { Genesis } from './genesis.ts'
import type {
  DigestSigner,
  MachineStarter,
  ProposalBook,
  StoredWarrant,
  WarrantAction,
  WarrantBook,
} from './ports.ts'
import { type Proposal, proposalState, type VoteResult } from './proposal.ts'
import { makeWarrant, runIdOf, type WarrantedInput, type WarrantedMachine } from './warrant.ts'

export type ExecuteProposalDeps = {
  readonly genesis: Genesis
  readonly proposals: ProposalBook
  readonly warrants: WarrantBook
  readonly signer: DigestSigner
  readonly machines: MachineStarter
  /** Opens the Datanet of a passed `open-datanet`; the same terms twice are one Datanet. */
  readonly openDatanet: (
    proposal: Proposal,
    terms: Extract<Action, { type: 'open-datanet' }>['input'],
  ) => Promise<{ datanetId: Bytes32 }>
}

/**
 * Carries out a passed proposal after its timelock: signs and keeps the warrant, then starts the one execution.
 * Every write has a natural key, so a repeated call ends in the same place.
 * @throws OpenLedgerError not-found; proposal-not-open unless the proposal is queued and its timelock is over
 */
export async function executeProposal(
  deps: ExecuteProposalDeps,
  input: { proposalId: Bytes32; now: number },
): Promise<Record<string, string>> {
  const proposal = await deps.proposals.get(input.proposalId)
  if (proposal === null)
    throw new OpenLedgerError('not-found', 'There is no such proposal', { seen: input.proposalId })
  if (proposal.executedAt !== null) return { ...proposal.outcome }
  const result = requireExecutable(proposal, input.now)
  const outcome = await carryOut(deps, proposal, result)
  await deps.proposals.recordExecuted(proposal.id, input.now, outcome)
  return outcome
}

function requireExecutable(proposal: Proposal, now: number): VoteResult {
  const state = proposalState(proposal, now)
  const { result } = proposal
  if (state !== 'queued' || result === null || result.executableAt === null || now < result.executableAt) {
    throw new OpenLedgerError('proposal-not-open', 'This proposal cannot be executed now', {
      expected: 'queued, with its timelock over',
      seen:
        state === 'queued' ? `timelock until ${new Date(result?.executableAt ?? 0).toISOString()}` : state,
    })
  }
  return result
}

async function carryOut(
  deps: ExecuteProposalDeps,
  proposal: Proposal,
  result: VoteResult,
): Promise<Record<string, string>> {
  const { action } = proposal.document
  switch (action.type) {
    case 'text':
      return { adopted: proposal.id }
    case 'open-datanet': {
      await deps.warrants.keep(await makeWarrant(deps, proposal, result, 'open-datanet', action.input))
      const { datanetId } = await deps.openDatanet(proposal, action.input)
      // What depends only on the base model and the sealed set is measured now, while people upload and vote.
      const name = resourceName(deps.genesis.stage, 'baselines', datanetId, 1)
      await deps.machines.start('measure-baselines', name, { schema: 1, datanetId, terms: action.input })
      return { datanetId }
    }
    case 'build':
      return startWarranted(deps, proposal, result, 'fine-tune', action.input.fineTune)
    case 'fine-tune':
    case 'align':
    case 'release':
      return startWarranted(deps, proposal, result, action.type, action.input)
  }
}

/** Signs, keeps and starts one warranted step; used for the first step here and for the later ones of a build. */
export async function startWarranted(
  deps: Pick<ExecuteProposalDeps, 'genesis' | 'warrants' | 'signer' | 'machines'>,
  proposal: Proposal,
  result: VoteResult,
  machine: WarrantAction & WarrantedMachine,
  input: StoredWarrant['input'],
): Promise<Record<string, string>> {
  const warrant = await deps.warrants.keep(await makeWarrant(deps, proposal, result, machine, input))
  const attempt = 1
  const runId = runIdOf(warrant.id, attempt)
  const start: WarrantedInput = {
    schema: 1,
    warrant: { id: warrant.id, document: warrant.document, signature: warrant.signature },
    input: warrant.input,
    runId,
    attempt,
  }
  await deps.machines.start(machine, resourceName(deps.genesis.stage, machine, warrant.id, attempt), start)
  return { warrantId: warrant.id, runId, machine }
}
