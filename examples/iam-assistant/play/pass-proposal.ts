import type { Action, ProposalView } from '../../../api/schemas/governance.ts'
import { draftProposal, propose } from '../../../cli/actions/propose.ts'
import { review } from '../../../cli/actions/review.ts'
import { signBallot, vote } from '../../../cli/actions/vote.ts'
import { noteRefusal, PlayFailed, refusalOf, type Stage, until } from './stage.ts'

/** Schedules and finality may each take a few seconds more than the windows. */
const SLACK_SECONDS = 60

/**
 * One proposal through the whole way: proposed by the largest holder, admitted by two governors, voted by all
 * holders (one against, one abstains, one changes his mind), closed, counted again and executed.
 */
export async function passProposal(
  stage: Stage,
  content: { title: string; summary: string; action: Action },
): Promise<ProposalView> {
  const { session, people } = stage
  const [proposer] = people.holders
  if (proposer === undefined) throw new PlayFailed('There is no holder to propose')
  const { rules } = session.genesis
  // The threshold is read at a final block: what was delegated a moment ago counts in a few seconds.
  await until('The votes are final', SLACK_SECONDS, async () => {
    const { powerWei } = await session.client.call('getPower', { params: { address: proposer.address } })
    return BigInt(powerWei) >= BigInt(rules.proposalThresholdWei) ? true : undefined
  })
  const document = draftProposal(session, proposer.address.toLowerCase(), content, Date.now())
  const { id } = await propose(session, proposer, document)
  stage.say(`Proposal ${id.slice(0, 12)}… "${content.title}" is in review`)

  for (const [index, governor] of people.governors.entries()) {
    if (index < 2)
      await review(session, governor, {
        proposalId: id,
        decision: 'admit',
        reason: 'I have read it and the input is as described.',
      })
  }
  stage.say('Two of three governors admitted it; waiting for the vote to open')
  await until('The vote opens', rules.reviewSeconds + rules.votingDelaySeconds + SLACK_SECONDS, async () =>
    (await view(stage, id)).state === 'active' ? true : undefined,
  )
  await castAll(stage, id)
  stage.say('All seven holders voted; waiting for the close, the recount and the timelock')
  const end = await until(
    'The proposal is executed',
    rules.votingPeriodSeconds + rules.timelockSeconds + SLACK_SECONDS,
    async () => {
      const now = await view(stage, id)
      return ['executed', 'defeated', 'disputed', 'lapsed', 'rejected', 'expired'].includes(now.state)
        ? now
        : undefined
    },
  )
  if (end.state !== 'executed')
    throw new PlayFailed(`"${content.title}" ended ${end.state}: ${end.result?.reason ?? ''}`)
  return end
}

/**
 * Each holder votes, the largest twice: first against, then for, and the second counts. One after the other: on a
 * small machine a warm function answers seven ballots sooner than seven cold ones answer one each.
 */
async function castAll(stage: Stage, proposalId: string) {
  const { session, people } = stage
  const [first] = people.holders
  if (first !== undefined) await castWhenFinal(() => vote(session, first, { proposalId, choice: 'against' }))
  for (const [index, holder] of people.holders.entries()) {
    const choice = index === 5 ? 'abstain' : index === 6 ? 'against' : 'for'
    await castWhenFinal(() => vote(session, holder, { proposalId, choice }))
  }
}

/** Until the chain has finalized the snapshot the service answers "try again". */
function castWhenFinal(cast: () => Promise<unknown>): Promise<true> {
  return until('The snapshot is final', SLACK_SECONDS, async () => {
    const seen = await refusalOf(cast)
    if (seen === 'accepted') return true
    if (seen === 'unavailable') return undefined
    throw new PlayFailed(`A ballot was refused: ${seen}`)
  })
}

/** A ballot in a holder's name that somebody else signed. */
export async function tryForgedBallot(stage: Stage, proposalId: string): Promise<void> {
  const { session, people } = stage
  const [victim] = people.holders
  if (victim === undefined) return
  const body = {
    ...(await signBallot(session, people.copier, { proposalId, choice: 'against' })),
    voter: victim.address,
  }
  const seen = await refusalOf(() => session.client.call('castBallot', { params: { id: proposalId }, body }))
  noteRefusal(stage, 'ballot-with-forged-signature', 'wrong-signer', seen)
}

export const view = (stage: Stage, id: string) => stage.session.client.call('getProposal', { params: { id } })

export function figuresOf(proposal: ProposalView): Record<string, unknown> {
  return {
    proposalId: proposal.id,
    tally: proposal.result?.tally,
    quorumWei: proposal.result?.quorumWei,
    ballotFile: proposal.result?.ballotFile.key,
    outcome: proposal.outcome,
  }
}
