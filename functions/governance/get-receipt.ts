import { routes } from '../../api/routes.ts'
import { OpenLedgerError } from '../../domain/errors.ts'
import { ballotDigest, signReceipt } from '../../domain/governance/receipt.ts'
import { parseAddress, parseBytes32 } from '../../domain/protocol/hex.ts'
import { deps } from '../deps.ts'
import { endpoint } from '../http/endpoint.ts'
import { presentReceipt } from '../http/presenters.ts'

export const handler = endpoint(routes.getReceipt, async ({ params }) => {
  const genesis = deps.genesis()
  const proposalId = parseBytes32(params.id)
  const ballot = await deps.ballots().current(proposalId, parseAddress(params.voter))
  if (ballot === null)
    throw new OpenLedgerError('not-found', 'This address has no ballot here', { seen: params.voter })
  const digest = ballotDigest(genesis, proposalId, ballot)
  const receipt = await signReceipt({ genesis, signer: deps.receiptSigner() }, digest, ballot.receivedAt)
  return {
    proposalId,
    voter: ballot.voter,
    counted: true,
    powerWei: String(ballot.powerWei),
    receipt: presentReceipt(receipt),
  }
})
