/**
 * Real evidence for the offline verifier, made by the product's own code: a vote that passed, its warrant, a
 * version and its lineage, a submission with records, a frozen dataset, and a log over all of it.
 */
import { createPrivateKey, createPublicKey, sign } from 'node:crypto'
import { gunzipSync, gzipSync } from 'node:zlib'
import type { Action, FineTuneInput, ProposalDocument, Rules } from '../../api/schemas/governance.ts'
import type { Lineage } from '../../api/schemas/training.ts'
import { toEntry } from '../../domain/data/append-leaves.ts'
import { ballotFile } from '../../domain/governance/ballot-file.ts'
import { closeVote, shutGates } from '../../domain/governance/close-vote.ts'
import type { Proposal } from '../../domain/governance/proposal.ts'
import { makeWarrant, runIdOf } from '../../domain/governance/warrant.ts'
import { canonicalJson } from '../../domain/protocol/canonical-json.ts'
import {
  bytesToDigits,
  hexToBytes,
  parseHex,
  type Sha256Hex,
  sha256ToBytes32,
} from '../../domain/protocol/hex.ts'
import { documentId, keccak256Hex, sha256Hex } from '../../domain/protocol/ids.ts'
import { inclusionProof, levelsReader, root, treeLevels } from '../../domain/protocol/merkle-log.ts'
import { datasetPart, recordHash, recordSalt, recordsRoot } from '../../domain/protocol/record-hash.ts'
import { type LogProof, recordProof } from '../../domain/protocol/record-proof.ts'
import {
  checkpointBody,
  formatNote,
  logOrigin,
  signNote,
  verifierKey,
} from '../../domain/protocol/signed-note.ts'
import { hashTypedData, messageToJson, signTypedData } from '../../domain/protocol/typed-data.ts'
import type { Trust } from '../../verify/index.ts'
import { addressOf, aStage, GOPEN, memorySigner, walletOf } from '../support/governance-stage.ts'

export const digestOf = (name: string): Sha256Hex => sha256Hex(name)

const datanetId = keccak256Hex('a datanet')

export const aFineTune: FineTuneInput = {
  datanetId,
  dataset: {
    datasetId: keccak256Hex('a dataset'),
    trainRoot: digestOf('train'),
    trainRecords: 10,
    logSize: 12,
  },
  baseModel: digestOf('base model'),
  modelProfile: 'cpu-135m',
  recipe: digestOf('recipe'),
  sealedSet: digestOf('sealed'),
  shotSet: digestOf('shots'),
  gate: { targetLowerBoundPpm: 0, guardMarginPpm: 50_000, evaluationItems: 200 },
}
export const aBuild: Action = {
  type: 'build',
  input: { fineTune: aFineTune, release: { datanetId: aFineTune.datanetId, alias: 'assistant' } },
  budgetUsdMicro: 1_000_000,
}

/** A closed vote that passed, with its published ballot file; made once, since nothing changes it. */
export const aVote = () => {
  passedVote ??= aVoteOf([
    ['alice', 1, 1],
    ['bob', 0, 3],
    ['bob', 2, 7],
    ['carol', 0, 1],
  ])
  return passedVote
}
let passedVote: ReturnType<typeof aVoteOf> | undefined

/** The same for other votes, each [voter, support, nonce]. */
export async function aVoteOf(
  votes: readonly (readonly [string, 0 | 1 | 2, number])[],
  action: Action = aBuild,
) {
  const stage = aStage()
  const opened = await stage.openVote('alice', action)
  for (const [voter, support, nonce] of votes)
    await stage.vote(opened.id, voter, support, nonce, `by ${voter}`)
  stage.closes(opened)
  await shutGates(stage.deps, { proposalId: opened.id, now: stage.clock.now })
  const result = await closeVote(stage.deps, { proposalId: opened.id, now: stage.clock.now })
  const proposal = (await stage.deps.proposals.get(opened.id))!
  const { genesis } = stage
  const trust: Trust = {
    genesis: { chainId: genesis.chainId, gOpen: genesis.gOpen, deploymentId: genesis.deploymentId },
    governors: genesis.governors,
    warrantSigner: await memorySigner('warrant key').address(),
    logKey: verifierKey(aLogKey(genesis)),
  }
  return { stage, genesis, proposal, result, trust, file: stage.files.get(result.ballotFile.key)! }
}

export type Json = Record<string, unknown>

/** Sets one member, by a path like `0.result.for`, in place. */
export function set(target: unknown, path: string, value: unknown): void {
  const keys = path.split('.')
  const last = keys.pop()!
  const holder = keys.reduce((found, key) => found[key] as Json, target as Json)
  if (!(last in holder)) throw new Error(`there is no ${path}`)
  holder[last] = value
}

/** The lines of a ballot file, changed, as a file again. */
export function rewritten(file: Uint8Array, change: (lines: Json[]) => Json[] | undefined): Uint8Array {
  const lines = gunzipSync(file)
    .toString('utf8')
    .trimEnd()
    .split('\n')
    .map(line => JSON.parse(line) as Json)
  const changed = change(lines) ?? lines
  return new Uint8Array(gzipSync(changed.map(line => `${canonicalJson(line)}\n`).join('')))
}

/** The warrant of a passed vote, with the input that it permits. */
export async function aWarrant(vote: Awaited<ReturnType<typeof aVote>>) {
  const { genesis, proposal, result } = vote
  const deps = { genesis, signer: memorySigner('warrant key') }
  return makeWarrant(deps, proposal, result, 'fine-tune', aFineTune)
}

/** RFC 8410: PKCS #8 of an Ed25519 key is this prefix and the 32 bytes of its seed. */
const PKCS8_PREFIX = '302e020100300506032b657004220420'
const logPrivateKey = createPrivateKey({
  key: Buffer.from(PKCS8_PREFIX + sha256Hex('test log key'), 'hex'),
  format: 'der',
  type: 'pkcs8',
})
/** The log's key; its name is that of the log. */
export const aLogKey = (genesis: Parameters<typeof logOrigin>[0]) => ({
  name: logOrigin(genesis),
  publicKey: new Uint8Array(createPublicKey(logPrivateKey).export({ format: 'der', type: 'spki' })).slice(
    -32,
  ),
})

/** A log over these leaves, with a signed head and a proof for each. */
export async function aLog(genesis: Parameters<typeof logOrigin>[0], leaves: readonly Json[]) {
  const entries = leaves.map(leaf => toEntry(leaf as { kind: string }))
  const hashes = entries.map(entry => hexToBytes(entry.leafHash))
  const body = checkpointBody(logOrigin(genesis), hashes.length, root(hashes))
  const note = await signNote(
    body,
    aLogKey(genesis),
    async message => new Uint8Array(sign(null, message, logPrivateKey)),
  )
  const node = levelsReader(treeLevels(hashes))
  const proofAt = (index: number): LogProof => ({
    leafHash: entries[index]!.leafHash,
    index,
    entry: new TextDecoder().decode(entries[index]!.bytes),
    proof: inclusionProof(index, hashes.length, node).map(hash => bytesToDigits(hash) as Sha256Hex),
    checkpoint: formatNote(note),
  })
  return { proofAt, body }
}

/** A version made with a warrant, its weights' manifest and the proof of its leaf. */
export async function aVersion(vote: Awaited<ReturnType<typeof aVote>>, change: Partial<Lineage> = {}) {
  const { genesis, proposal } = vote
  const warrant = await aWarrant(vote)
  const weightsManifest = { files: [{ path: 'model.safetensors', sha256: digestOf('w'), sizeBytes: 3 }] }
  const lineage: Lineage = {
    schema: 1,
    deploymentId: genesis.deploymentId,
    kind: 'fine-tune',
    datanetId: aFineTune.datanetId,
    parent: aFineTune.baseModel,
    baseModel: aFineTune.baseModel,
    warrantId: warrant.id,
    proposalId: proposal.id,
    runId: runIdOf(warrant.id, 1),
    dataset: {
      datasetId: aFineTune.dataset.datasetId,
      trainRoot: aFineTune.dataset.trainRoot,
      logSize: aFineTune.dataset.logSize,
    },
    round: null,
    recipe: aFineTune.recipe,
    code: digestOf('code'),
    jobs: [{ name: 'local-train-1', program: 'finetune', image: 'local' }],
    weights: {
      key: 'runs/1/merged/',
      merged: sha256Hex(canonicalJson(weightsManifest)),
      adapter: digestOf('adapter'),
      tokenizer: digestOf('tokenizer'),
      chatTemplate: digestOf('template'),
    },
    scores: { tuned: { exactMatch: 300_000, low: 240_000, high: 365_000, n: 200 } },
    gate: { passed: true, differencePpm: 250_000, lowPpm: 180_000, highPpm: 320_000, n: 200 },
    ...change,
  }
  const versionId = documentId(lineage)
  const leaf = {
    kind: 'version',
    versionId,
    datanetId: lineage.datanetId,
    warrantId: lineage.warrantId,
    promoted: lineage.gate.passed,
  }
  const log = await aLog(genesis, [{ kind: 'genesis' }, { kind: 'other' }, leaf, { kind: 'later' }])
  return { versionId, lineage, warrant, ballotFile: vote.file, logProof: log.proofAt(2), weightsManifest }
}

/**
 * A submission of twelve records, most of which were frozen, with everything that a proof is made of; `lie` is
 * what a dishonest log says instead.
 */
export async function aFrozenSubmission(
  lie: { submissionLeaf?: Json; manifest?: Json; datasetLeaf?: Json; dev?: 'empty' | 'as train' } = {},
) {
  const count = 12
  const { genesis } = aStage()
  const contributor = walletOf('contributor')
  const seed = hexToBytes('5e'.repeat(32))
  const records = Array.from({ length: count }, (_, at) => ({
    instruction: `need ${at}`,
    output: `a:Do${at}`,
  }))
  const hashes = records.map((record, index) => recordHash(recordSalt(seed, index), record))
  const isAccepted = (index: number) => index % 4 !== 3
  const accepted = hashes.filter((_, index) => isAccepted(index))
  const train = datasetPart([...accepted.slice(0, -2), ...others('train', 9)])
  const devHashes = { empty: [], 'as train': train.hashes, honest: [accepted.at(-1)!, ...others('dev', 2)] }
  const dev = datasetPart(devHashes[lie.dev ?? 'honest'])
  const message = {
    datanetId,
    contributor: addressOf(contributor),
    objectDigest: keccak256Hex('object'),
    sizeBytes: 1_000,
    recordCount: count,
    recordsRoot: sha256ToBytes32(recordsRoot(hashes)),
    license: 'CC-BY-4.0',
    consent: keccak256Hex('I agree'),
    nonce: 1,
    deadline: 1_790_000_000_000,
  }
  const submissionLeaf = {
    kind: 'submission-partly-accepted',
    schema: 1,
    submissionId: hashTypedData(genesis, 'Submission', message),
    sequence: 1,
    manifest: messageToJson('Submission', message),
    signature: await signTypedData(contributor, genesis, 'Submission', message),
    acceptedRecords: accepted.length,
    acceptedRoot: datasetPart(accepted).root,
    refusedRecords: { 'near-copy': count - accepted.length },
    reasons: [],
    ...lie.submissionLeaf,
  }
  const manifest = {
    schema: 1,
    deploymentId: genesis.deploymentId,
    datanetId: aFineTune.datanetId,
    logSize: 2,
    trainRoot: train.root,
    devRoot: dev.root,
    trainRecords: train.hashes.length,
    devRecords: dev.hashes.length,
    ...lie.manifest,
  }
  const datasetId = documentId(manifest)
  const { schema: _schema, deploymentId: _deploymentId, ...roots } = manifest
  const datasetLeaf = { kind: 'frozen-dataset', schema: 1, datasetId, ...roots, ...lie.datasetLeaf }
  const log = await aLog(genesis, [{ kind: 'genesis' }, submissionLeaf, datasetLeaf])
  const proofOf = (index: number) =>
    recordProof({
      genesis,
      record: records[index]!,
      index,
      seed,
      submission: {
        logProof: log.proofAt(1),
        uploadedHashes: hashes,
        acceptedHashes: isAccepted(index) ? accepted : null,
      },
      dataset: {
        manifest,
        logProof: log.proofAt(2),
        trainHashes: train.hashes,
        devHashes: dev.hashes,
      },
    })
  const trust: Trust = {
    genesis: { chainId: genesis.chainId, gOpen: genesis.gOpen, deploymentId: genesis.deploymentId },
    logKey: verifierKey(aLogKey(genesis)),
  }
  const indexOf = (hash: Sha256Hex) => hashes.indexOf(hash)
  return {
    proofOf,
    trust,
    datasetId,
    indexInDev: indexOf(accepted.at(-1)!),
    indexInNone: indexOf(accepted.at(-2)!),
  }
}

const others = (name: string, count: number) =>
  Array.from({ length: count }, (_, at) => sha256Hex(`${name} ${at}`))

/**
 * A ballot file whose signatures all hold although the service broke its own rules: what a dishonest operator,
 * helped by a proposer, could publish.
 */
export async function aDishonestFile(change: {
  document?: Partial<ProposalDocument>
  rules?: Record<string, unknown>
  reviewers?: readonly string[]
  decision?: string
  powers?: readonly bigint[]
  result?: Record<string, unknown>
}) {
  const { genesis, documentBy, ballotOf } = aStage()
  const rules = { ...genesis.rules, ...change.rules } as Rules
  const document = { ...documentBy('alice', aBuild), rules: documentId(rules), ...change.document }
  const proposalId = documentId(document)
  const proposer = addressOf(walletOf('alice'))
  const signature = await signTypedData(walletOf('alice'), genesis, 'Proposal', {
    proposalId,
    proposer,
    nonce: document.nonce,
  })
  const reviews = await Promise.all(
    (change.reviewers ?? ['governor-1', 'governor-2']).map(async name => {
      const governor = addressOf(walletOf(name))
      const message = { proposalId, governor, decision: 1, reasonHash: keccak256Hex('fine'), nonce: 1 }
      const signed = await signTypedData(walletOf(name), genesis, 'Review', message)
      const decision = (change.decision ?? 'admit') as 'admit'
      return { governor, decision, reason: 'fine', nonce: 1, signature: signed, receivedAt: 0 }
    }),
  )
  const powers = change.powers ?? [600n * GOPEN]
  const ballots = await Promise.all(
    powers.map(async (powerWei, at) => {
      const ballot = await ballotOf(proposalId, 'alice', 1, at + 1)
      return { ...ballot, signature: parseHex(ballot.signature), powerWei, receivedAt: 0 }
    }),
  )
  const forWei = powers.at(-1) ?? 0n
  const file = ballotFile(genesis, { document, rules, signature } as Proposal, {
    reviews,
    snapshot: { number: 1, hash: keccak256Hex('block'), timestamp: 1 },
    totalSupplyWei: 1_000n * GOPEN,
    ballots,
    result: {
      outcome: 'passed',
      tally: { againstWei: 0n, forWei, abstainWei: 0n },
      voters: 1,
      quorumWei: 250n * GOPEN,
    },
  })
  const trust: Trust = {
    genesis: { chainId: genesis.chainId, gOpen: genesis.gOpen, deploymentId: genesis.deploymentId },
    governors: genesis.governors,
  }
  return { file, trust, proposalId }
}
