import { ApiError, type CallOutput, type Client } from '../../api/client.ts'
import { toEntry } from '../../domain/data/append-leaves.ts'
import { payoutLeaf, scoresLeaf } from '../../domain/data/attribution-leaf.ts'
import { OpenLedgerError } from '../../domain/errors.ts'
import { parseBytes32, parseSha256Hex } from '../../domain/protocol/hex.ts'
import { documentDigest } from '../../domain/protocol/ids.ts'
import { parseJson } from '../files.ts'
import {
  type BallotsEvidence,
  type PayoutEvidence,
  toBase64,
  type VersionEvidence,
  type WarrantEvidence,
} from './evidence-file.ts'

/** Gathers what a deployment publishes about an object. Nothing here is believed: the verifier reads it. */

type Proposal = CallOutput<'getProposal'>
const STEPS = ['open-datanet', 'fine-tune', 'align', 'release'] as const

/** The proof that a leaf is in the log; null when the log does not have it. */
export async function logProofOf(
  client: Client,
  leaf: { readonly kind: string } & Readonly<Record<string, unknown>>,
): Promise<CallOutput<'getLogProof'> | null> {
  try {
    return await client.call('getLogProof', { query: { leaf: toEntry(leaf).leafHash } })
  } catch (error) {
    if (error instanceof ApiError && error.code === 'not-found') return null
    throw error
  }
}

/** @throws ApiError; OpenLedgerError not-found before the vote is closed */
export async function ballotsEvidence(client: Client, proposalId: string): Promise<BallotsEvidence> {
  const { vote } = await closedVote(client, proposalId)
  return { kind: 'ballots-evidence', schema: 1, ...vote }
}

/** All warrants of a proposal. @throws ApiError; OpenLedgerError not-found without any */
export async function warrantEvidence(client: Client, proposalId: string): Promise<WarrantEvidence> {
  const { proposal, vote } = await closedVote(client, proposalId)
  if (proposal.warrants.length === 0)
    throw new OpenLedgerError('not-found', 'This proposal has no warrant', {
      expected: 'a passed and executed proposal that starts something',
      seen: `${proposal.document.action.type}, ${proposal.state}`,
    })
  const made = await madeBySteps(client, proposal)
  const warrants = STEPS.flatMap(step =>
    proposal.warrants
      .filter(({ document }) => document.action === step)
      .map(({ id, document, signature }) => {
        const before = step === 'align' ? made.fineTune : step === 'release' ? made.served : undefined
        return { id, document, signature, ...(before === undefined ? {} : { previousVersion: before }) }
      }),
  )
  return { kind: 'warrant-evidence', schema: 1, ...vote, warrants }
}

/** @throws ApiError; OpenLedgerError not-found when its proposal names no such warrant */
export async function versionEvidence(client: Client, versionId: string): Promise<VersionEvidence> {
  const { lineage, promoted } = await client.call('getVersion', { params: { id: versionId } })
  const { proposal, vote } = await closedVote(client, lineage.proposalId)
  const warrant = proposal.warrants.find(({ id }) => id === lineage.warrantId)
  if (warrant === undefined)
    throw new OpenLedgerError('not-found', 'The version was made without a warrant of its proposal', {
      expected: `warrant ${lineage.warrantId}`,
      seen: proposal.warrants.map(({ id }) => id).join(', ') || 'none',
    })
  const { id, document, signature } = warrant
  const { datanetId, warrantId } = lineage
  const parent =
    lineage.kind === 'align' ? await client.call('getVersion', { params: { id: lineage.parent } }) : null
  return {
    kind: 'version-evidence',
    schema: 1,
    versionId,
    lineage,
    warrant: { id, document, signature },
    ...vote,
    logProof: await logProofOf(client, { kind: 'version', versionId, datanetId, warrantId, promoted }),
    parentLineage: parent?.lineage ?? null,
  }
}

/** Of the newest settled period, unless one is named. @throws ApiError; OpenLedgerError not-found */
export async function payoutEvidence(
  client: Client,
  datanetId: string,
  period: number | undefined,
): Promise<PayoutEvidence> {
  const settled: CallOutput<'listPayouts'>['items'] = []
  for (let cursor: string | null | undefined; cursor !== null; ) {
    const page = await client.call('listPayouts', {
      params: { id: datanetId },
      query: cursor === undefined ? {} : { cursor },
    })
    settled.push(...page.items)
    cursor = page.cursor
  }
  const at = period === undefined ? 0 : settled.findIndex(one => one.period === period)
  const payout = settled[at]
  if (payout === undefined)
    throw new OpenLedgerError('not-found', 'This payout is not there', {
      expected: period === undefined ? 'a settled period' : `period ${period}, settled`,
      seen: settled.map(one => one.period).join(', ') || 'no settled period',
    })
  const file = await textFile(client, payout.file.key)
  const { previous, scores, validators } = parseJson(file, payout.file.key, 'a payout file') as {
    previous: { period: number } | null
    scores: unknown
    validators: { weights: unknown }
  }
  const before = previous === null ? undefined : settled.find(one => one.period === previous.period)
  const [previousFile, scoresProof, payoutProof] = await Promise.all([
    before === undefined ? null : textFile(client, before.file.key),
    logProofOf(
      client,
      scoresLeaf(payout.period, documentDigest({ contributors: scores, validators: validators.weights })),
    ),
    logProofOf(
      client,
      payoutLeaf({
        period: payout.period,
        root: payout.root === null ? null : parseBytes32(payout.root),
        total: BigInt(payout.totalWei),
        fileSha256: parseSha256Hex(payout.file.sha256),
      }),
    ),
  ])
  const { blockNumber } = payout.readAt
  return { kind: 'payout-evidence', schema: 1, file, previousFile, scoresProof, payoutProof, blockNumber }
}

async function closedVote(client: Client, proposalId: string) {
  const proposal = await client.call('getProposal', { params: { id: proposalId } })
  const { result } = proposal
  if (result === null)
    throw new OpenLedgerError('not-found', 'The vote on this proposal has no result yet', {
      expected: `a closed vote; this one closes ${proposal.document.closesAt}`,
      seen: proposal.state,
    })
  const ballotFile = await client.call('getFile', { params: { key: result.ballotFile.key } })
  const voteProof = await logProofOf(client, {
    kind: 'vote',
    proposalId,
    outcome: result.outcome,
    ballotFile: result.ballotFile.sha256,
  })
  return { proposal, vote: { ballotFile: toBase64(ballotFile), voteProof } }
}

/** The versions that the steps of a build made, which its later warrants name: its runs say which. */
async function madeBySteps(client: Client, proposal: Proposal) {
  const outputOf = async (step: (typeof STEPS)[number]) => {
    const run = proposal.warrants.find(({ document }) => document.action === step)?.runs.at(-1)
    return run === undefined ? null : (await client.call('getRun', { params: { id: run } })).output
  }
  if (proposal.document.action.type !== 'build') return {}
  const text = (value: unknown) => (typeof value === 'string' ? value : undefined)
  const fineTune = text((await outputOf('fine-tune'))?.version)
  return { fineTune, served: text((await outputOf('align'))?.servedVersion) ?? fineTune }
}

async function textFile(client: Client, key: string): Promise<string> {
  return new TextDecoder().decode(await client.call('getFile', { params: { key } }))
}
