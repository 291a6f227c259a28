import { OpenLedgerError } from '../errors.ts'
import type { Genesis } from '../governance/genesis.ts'
import { canonicalJson } from '../protocol/canonical-json.ts'
import type { Address, Bytes32, Sha256Hex } from '../protocol/hex.ts'
import { documentId, sha256Hex } from '../protocol/ids.ts'
import { toEntry } from './append-leaves.ts'
import { normalizedText } from './copies.ts'
import { type CuratedRecord, readCurated } from './curated-object.ts'
import { type AcceptedRecord, type FrozenDataset, freezeDataset, UNVETTED_RULES } from './freeze-dataset.ts'
import { requiredDatanet } from './inspect-submission.ts'
import { frozenDatasetLeaf, submissionLeaf } from './leaves.ts'
import type {
  AccountBook,
  Datanet,
  DatanetBook,
  DatasetBook,
  DatasetManifest,
  FrozenDatasetRecord,
  Log,
  LogBook,
  ObjectStore,
  SubmissionBook,
} from './ports.ts'
import { recordMessages } from './record-profile.ts'
import type { Submission } from './submission.ts'
import { vouchedLevel } from './vouch-account.ts'

/** One record in twenty is kept for looking at the training from outside; sealed sets decide, not these. */
const DEV_SHARE_PPM = 50_000
/** All records are held at once while they are split; a Lambda's memory takes about this many. */
const MAX_RECORDS = 200_000

export const trainKey = (datasetId: Bytes32) => `frozen/${datasetId}/train.jsonl`
export const devKey = (datasetId: Bytes32) => `frozen/${datasetId}/dev.jsonl`
export const manifestKey = (datasetId: Bytes32) => `frozen/${datasetId}/manifest.json`
export const hashListKey = (datasetId: Bytes32, part: 'train' | 'dev') => `frozen/${datasetId}/${part}.hashes`

export type FrozenFacts = {
  readonly genesis: Genesis
  readonly datanets: DatanetBook
  readonly submissions: SubmissionBook
  readonly accounts: AccountBook
  readonly logBook: LogBook
  readonly data: ObjectStore
}
export type FreezeDatanetDeps = FrozenFacts & {
  readonly datasets: DatasetBook
  readonly files: Pick<ObjectStore, 'put'>
  readonly log: Log
  /** What a training on this Datanet's model may cost at most, in millionths of a dollar. */
  readonly estimateCostUsdMicro: (terms: Datanet['terms']) => number
}

/**
 * Freezes what the Datanet has accepted so far into a train and a dev part. Which records, and how they are
 * split, follows from the log at a size: freezing again before anything new was accepted is the same dataset.
 * @throws OpenLedgerError not-found; conflict when there is nothing to train on yet; too-large
 */
export async function freezeDatanet(
  deps: FreezeDatanetDeps,
  input: { datanetId: Bytes32; now: number },
): Promise<FrozenDatasetRecord> {
  const datanet = await requiredDatanet(deps.datanets, input.datanetId)
  const sources = await sourcesOf(deps, datanet)
  const known = await deps.datasets.at(datanet.id, sources.logSize)
  if (known?.logIndex != null) return known
  const parts = await buildParts(deps, datanet, sources)
  const manifest = manifestOf(
    deps.genesis,
    datanet,
    sources.logSize,
    parts,
    deps.estimateCostUsdMicro(datanet.terms),
  )
  const id = documentId(manifest)
  await putParts(deps, id, parts)
  await deps.files.put(manifestKey(id), Buffer.from(canonicalJson(manifest), 'utf8'), 'application/json')
  const kept = await deps.datasets.keep({ id, manifest, frozenAt: input.now, logIndex: null })
  const { index } = await deps.log.append(frozenDatasetLeaf(kept))
  await deps.datasets.recordLogIndex(kept, index)
  return { ...kept, logIndex: index }
}

type Source = { readonly submission: Submission; readonly isVetted: boolean }
export type Sources = { readonly logSize: number; readonly accepted: readonly Source[] }

/**
 * The accepted submissions of a Datanet in the log, and the log size that covers them and the vouches for their
 * accounts. With `atLogSize` as they were then.
 */
export async function sourcesOf(deps: FrozenFacts, datanet: Datanet, atLogSize?: number): Promise<Sources> {
  // Read first: whatever has an index below is seen by every read that follows.
  const upTo = atLogSize ?? (await deps.logBook.head()).size
  const accepted: { submission: Submission; index: number }[] = []
  for await (const submission of deps.submissions.all(datanet.id)) {
    if (submission.outcome === null || submission.outcome.accepted === 0) continue
    const index = submission.logIndex ?? (await indexInLog(deps.logBook, submission))
    if (index !== null && index < upTo) accepted.push({ submission, index })
  }
  const accounts = [...new Set(accepted.map(({ submission }) => submission.manifest.contributor))]
  const vouches = new Map(
    await Promise.all(accounts.map(async own => [own, await deps.accounts.vouches(own)] as const)),
  )
  const indexes = [
    ...accepted.map(({ index }) => index),
    ...[...vouches.values()]
      .flat()
      .flatMap(({ logIndex }) => (logIndex !== null && logIndex < upTo ? [logIndex] : [])),
  ]
  const logSize = atLogSize ?? Math.max(-1, ...indexes) + 1
  const governors = deps.genesis.governors.addresses
  return {
    logSize,
    accepted: accepted.map(({ submission }) => ({
      submission,
      isVetted: vouchedLevel(vouches.get(submission.manifest.contributor) ?? [], governors, logSize) > 0,
    })),
  }
}

/** A crash may fall between the leaf and the note of its index; the leaf follows from the outcome. */
async function indexInLog(log: LogBook, submission: Submission): Promise<number | null> {
  if (submission.outcome === null) return null
  return log.indexOf(toEntry(submissionLeaf(submission, submission.outcome)).leafHash)
}

export type Parts = {
  readonly frozen: FrozenDataset
  /** The training channel's file, in the order in which training reads it. */
  readonly train: Uint8Array
  readonly dev: Uint8Array
  readonly contributors: Readonly<Record<Address, number>>
}

/** The parts of a dataset, made of nothing but curated objects, vouches and the log size. */
export async function buildParts(deps: FrozenFacts, datanet: Datanet, sources: Sources): Promise<Parts> {
  const lines = new Map<Sha256Hex, string>()
  const records: AcceptedRecord[] = []
  for (const { submission, isVetted } of sources.accepted) {
    const { contributor } = submission.manifest
    const curated = readCurated(submission, await deps.data.get(submission.outcome?.object?.key ?? ''))
    requireRoom(records.length + curated.length)
    for (const one of curated) {
      lines.set(one.hash, trainingLine(datanet, contributor, one))
      records.push({
        recordHash: one.hash,
        contributor,
        group: one.record.group,
        normalizedKey: sha256Hex(normalizedText(one.record)),
        submission: submission.id,
        isVetted,
      })
    }
  }
  const frozen = freezeDataset(records, {
    seed: `${datanet.id}/${sources.logSize}`,
    devSharePpm: DEV_SHARE_PPM,
    ...UNVETTED_RULES,
  })
  if (frozen.train.hashes.length === 0) {
    throw new OpenLedgerError('conflict', 'This Datanet has nothing to train on yet', {
      expected: 'accepted records in the log, of an account that a governor vouched for',
      seen: `${records.length} accepted, ${frozen.leftOut.length} left out for want of a vouch`,
    })
  }
  const file = (hashes: readonly Sha256Hex[]) =>
    Buffer.from(hashes.map(hash => lines.get(hash)).join(''), 'utf8')
  return {
    frozen,
    train: file(frozen.trainOrder),
    dev: file(frozen.dev.hashes),
    contributors: countByContributor(records, new Set(frozen.train.hashes)),
  }
}

/** A record as the training channel takes it. The Datanet's system prompt stands where the record has none. */
function trainingLine(datanet: Datanet, contributor: Address, { hash, record }: CuratedRecord): string {
  const messages = recordMessages(record)
  const { systemPrompt } = datanet.terms
  const needsPrompt = systemPrompt !== '' && messages[0]?.role !== 'system'
  const line = {
    id: hash,
    messages: needsPrompt ? [{ role: 'system', content: systemPrompt }, ...messages] : messages,
    group: record.group,
    contributor,
  }
  return `${JSON.stringify(line)}\n`
}

function countByContributor(
  records: readonly AcceptedRecord[],
  train: ReadonlySet<Sha256Hex>,
): Record<Address, number> {
  const counts: Record<Address, number> = {}
  for (const { recordHash, contributor } of records) {
    if (train.has(recordHash)) counts[contributor] = (counts[contributor] ?? 0) + 1
  }
  return counts
}

function requireRoom(records: number) {
  if (records <= MAX_RECORDS) return
  throw new OpenLedgerError('too-large', 'The Datanet holds more records than one freeze takes', {
    expected: `at most ${MAX_RECORDS}`,
    seen: `${records} or more`,
  })
}

function manifestOf(
  genesis: Genesis,
  datanet: Datanet,
  logSize: number,
  { frozen, contributors }: Parts,
  estimatedCostUsdMicro: number,
): DatasetManifest {
  return {
    schema: 1,
    deploymentId: genesis.deploymentId,
    datanetId: datanet.id,
    logSize,
    trainRoot: frozen.train.root,
    devRoot: frozen.dev.root,
    trainRecords: frozen.train.hashes.length,
    devRecords: frozen.dev.hashes.length,
    leftOutRecords: frozen.leftOut.length,
    splitBy: frozen.splitBy,
    rules: { devSharePpm: DEV_SHARE_PPM, ...UNVETTED_RULES },
    contributors,
    estimatedCostUsdMicro,
  }
}

async function putParts(deps: FreezeDatanetDeps, id: Bytes32, { frozen, train, dev }: Parts) {
  const list = (hashes: readonly Sha256Hex[]) => Buffer.from(hashes.map(hash => `${hash}\n`).join(''), 'utf8')
  await Promise.all([
    deps.data.put(trainKey(id), train, 'application/jsonl'),
    deps.data.put(devKey(id), dev, 'application/jsonl'),
    deps.files.put(hashListKey(id, 'train'), list(frozen.train.hashes), 'text/plain'),
    deps.files.put(hashListKey(id, 'dev'), list(frozen.dev.hashes), 'text/plain'),
  ])
}
