import type { CallOutput } from '../../api/client.ts'
import type { Action, ProposalDocument } from '../../api/schemas/governance.ts'
import { documentId } from '../../domain/protocol/ids.ts'
import { signTypedData } from '../../domain/protocol/typed-data.ts'
import { addressOf, nextNonce, type Session, type Signer } from './session.ts'

/** Time for the request itself, so that a proposal filled in now is not late when it arrives. */
const SLACK_MS = 2_000

/** A proposal document whose times fit the rules in force, opening as early as they allow. */
export function draftProposal(
  session: Session,
  proposer: string,
  content: { title: string; summary: string; action: Action; supersedes?: string },
  now: number,
): ProposalDocument {
  const { rules, rulesDigest, deploymentId } = session.genesis
  const earliest = now + SLACK_MS + (rules.reviewSeconds + rules.votingDelaySeconds) * 1_000
  const opensAt = Math.ceil(earliest / 1_000) * 1_000
  return {
    schema: 1,
    deploymentId,
    proposer,
    nonce: nextNonce(),
    rules: rulesDigest,
    opensAt: new Date(opensAt).toISOString(),
    closesAt: new Date(opensAt + rules.votingPeriodSeconds * 1_000).toISOString(),
    ...content,
  }
}

/** Signs and submits a proposal document. @throws ApiError with the service's refusal */
export async function propose(
  session: Session,
  signer: Signer,
  document: ProposalDocument,
): Promise<CallOutput<'submitProposal'>> {
  const signature = await signTypedData(signer, session.bound, 'Proposal', {
    proposalId: documentId(document),
    proposer: addressOf(signer),
    nonce: document.nonce,
  })
  return session.client.call('submitProposal', { body: { document, signature } })
}
