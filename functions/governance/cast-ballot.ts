import { routes } from '../../api/routes.ts'
import { castBallot } from '../../domain/governance/cast-ballot.ts'
import { ballotDigest, signReceipt } from '../../domain/governance/receipt.ts'
import { parseBytes32 } from '../../domain/protocol/hex.ts'
import { deps } from '../deps.ts'
import { endpoint, logger } from '../http/endpoint.ts'
import { receiptOrNull } from '../http/presenters.ts'

export const handler = endpoint(routes.castBallot, async ({ params, body, receivedAt }) => {
  const genesis = deps.genesis()
  const proposalId = parseBytes32(params.id)
  const { ballot, counted } = await castBallot(
    {
      genesis,
      proposals: deps.proposals(),
      ballots: deps.ballots(),
      powers: deps.powers(),
      token: deps.token(),
    },
    { ...body, proposalId, receivedAt },
  )
  logger.info('ballot.cast', { proposalId, voter: ballot.voter, nonce: ballot.nonce, counted })
  const receipt = await receiptOrNull(() =>
    signReceipt(
      { genesis, signer: deps.receiptSigner() },
      ballotDigest(genesis, proposalId, ballot),
      ballot.receivedAt,
    ),
  )
  return { proposalId, voter: ballot.voter, counted, powerWei: String(ballot.powerWei), receipt }
})
