/** What a deployment publishes about one passed vote, its version and one settled period, as its routes answer it. */
import type { Lineage } from '../../api/schemas/training.ts'
import { rulesDigest } from '../../domain/governance/rules.ts'
import { canonicalBytes, canonicalJson } from '../../domain/protocol/canonical-json.ts'
import { documentDigest, sha256Hex } from '../../domain/protocol/ids.ts'
import { scoresDigest } from '../../domain/protocol/payout-file.ts'
import { verifierKey } from '../../domain/protocol/signed-note.ts'
import { memorySigner } from '../support/governance-stage.ts'
import { aLog, aLogKey, aVersion, aVote, digestOf, type Json } from '../verify/a-life.ts'
import { aPayout } from '../verify/a-payout.ts'
import { type Answers, Refused } from './run-cli.ts'

const PERIODS = 2
/** The bytes of the version's only file, `model.safetensors`. */
export const WEIGHTS = 'weights'

/** `leaves` changes what the log holds before it is signed. */
export async function aPublishedLife(leaves: (honest: Json[]) => Json[] = honest => honest) {
  const vote = await aVote()
  const { genesis, proposal, result } = vote
  const { versionId, lineage, warrant } = await aVersion(vote, {
    weights: {
      key: 'runs/1/merged/',
      merged: documentDigest({
        files: [{ path: 'model.safetensors', sizeBytes: 7, sha256: digestOf(WEIGHTS) }],
      }),
      adapter: digestOf('adapter'),
      tokenizer: digestOf('tokenizer'),
      chatTemplate: digestOf('template'),
    },
  })
  const first = aPayout(null)
  const second = aPayout(first)
  const facts = {
    schema: 1,
    deploymentId: genesis.deploymentId,
    stage: genesis.stage,
    chainId: genesis.chainId,
    gOpen: genesis.gOpen,
    openToken: genesis.openToken,
    rewardClaims: genesis.rewardClaims,
    governors: { addresses: [...genesis.governors.addresses], threshold: genesis.governors.threshold },
    rules: genesis.rules,
    rulesDigest: rulesDigest(genesis.rules),
    rehearsal: true,
    signers: {
      receipt: await memorySigner('receipt key').address(),
      warrant: await memorySigner('warrant key').address(),
      payout: await memorySigner('payout key').address(),
      logHead: verifierKey(aLogKey(genesis)),
    },
  }
  const payouts = [second, first].map(({ file }) => payoutView(file, lineage))
  const logged = leaves([
    { kind: 'genesis', ...facts },
    {
      kind: 'vote',
      proposalId: proposal.id,
      outcome: result.outcome,
      ballotFile: result.ballotFile.sha256,
    },
    {
      kind: 'version',
      versionId,
      datanetId: lineage.datanetId,
      warrantId: warrant.id,
      promoted: lineage.gate.passed,
    },
    ...[first, second].flatMap(({ file }) => [
      { kind: 'scores', schema: 1, period: file.period, scoresDigest: scoresDigest(file) },
      {
        kind: 'payout',
        schema: 1,
        period: file.period,
        root: file.root,
        total: file.total,
        fileSha256: sha256Hex(canonicalJson(file)),
      },
    ]),
  ])
  const log = await aLog(genesis, logged)
  const proofs = new Map(logged.map((_, at) => [log.proofAt(at).leafHash as string, log.proofAt(at)]))
  const files = new Map<string, Uint8Array>([
    [result.ballotFile.key, vote.file],
    ...[first, second].map(({ file }) => [`payouts/${file.period}.json`, canonicalBytes(file)] as const),
  ])
  const only = (expected: string, seen: string | undefined, value: unknown) => {
    if (seen !== expected) throw new Refused(404, 'not-found')
    return value
  }
  const { document, signature } = warrant
  const answers: Answers = {
    getGenesis: () => ({ ...facts, logOrigin: 'openledger' }),
    getLogProof: ({ query }) => {
      const proof = proofs.get(query.get('leaf') ?? '')
      if (proof === undefined) throw new Refused(404, 'not-found')
      return proof
    },
    getFile: ({ params }) => {
      const file = files.get(params.key ?? '')
      if (file === undefined) throw new Refused(404, 'not-found')
      return file
    },
    getProposal: ({ params }) =>
      only(proposal.id, params.id, {
        id: proposal.id,
        state: 'executed',
        submittedAt: '2026-01-01T00:00:00.000Z',
        document: proposal.document,
        reviews: [],
        governorsNeeded: 2,
        tally: { ...TALLY, estimate: false },
        quorumWei: '0',
        result: {
          outcome: 'passed',
          tally: TALLY,
          quorumWei: '0',
          totalSupplyWei: '0',
          ballotFile: result.ballotFile,
          closedAt: '2026-01-01T00:01:00.000Z',
          executableAt: '2026-01-01T00:01:02.000Z',
          reason: '',
        },
        warrants: [
          { id: warrant.id, document, signature, attempts: 1, succeeded: true, runs: [lineage.runId] },
        ],
        outcome: null,
      }),
    getRun: ({ params }) =>
      only(lineage.runId, params.id, {
        id: lineage.runId,
        kind: 'fine-tune',
        proposalId: proposal.id,
        warrantId: warrant.id,
        attempt: 1,
        state: 'succeeded',
        startedAt: '2026-01-01T00:02:00.000Z',
        endedAt: '2026-01-01T00:03:00.000Z',
        failure: null,
        steps: [],
        metrics: [],
        output: { version: versionId },
      }),
    getVersion: ({ params }) =>
      only(versionId, params.id, {
        id: versionId,
        lineage,
        createdAt: '2026-01-01T00:03:00.000Z',
        promoted: lineage.gate.passed,
        lineageFile: `versions/${versionId}.json`,
      }),
    listPayouts: ({ params }) =>
      only(lineage.datanetId, params.id, { openPeriod: PERIODS + 1, items: payouts, cursor: null }),
  }
  return {
    answers,
    facts,
    proposalId: proposal.id,
    versionId,
    datanetId: lineage.datanetId,
    ballotFile: vote.file,
    payoutFile: canonicalJson(first.file),
  }
}

const TALLY = { againstWei: '0', forWei: '0', abstainWei: '0', voters: 0 }

function payoutView(file: ReturnType<typeof aPayout>['file'], { datanetId }: Lineage) {
  return {
    period: file.period,
    datanetId,
    settledAt: '2026-01-02T00:00:00.000Z',
    revenueWei: file.revenue,
    pools: { contributorsWei: '0', validatorsWei: '0', reserveWei: '0' },
    totalWei: file.total,
    reserveAddedWei: file.reserve.added,
    root: file.root,
    file: { key: `payouts/${file.period}.json`, sha256: sha256Hex(canonicalJson(file)) },
    logIndex: 1,
    readAt: { blockNumber: 1, blockHash: `0x${'11'.repeat(32)}` },
    proposal: null,
    contributors: [],
    validators: [],
  }
}
