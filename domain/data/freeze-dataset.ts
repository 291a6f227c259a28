/**
 * Freezing: from the accepted records of a Datanet to the parts `train` and `dev`, each with one root. Pure
 * and independent of the order of its input, so that anybody with the records' rows computes the same roots.
 *
 * The split keeps together what would leak from one part into the other: rows of one contributor (from ten
 * contributors up) or of one group (below that), and always rows with the same normalized key. Units that
 * share a key are joined; joined units are drawn in an order made from the seed, and go to dev as long as
 * they fit. So dev is never larger than its share, and may be smaller where units are large.
 */
import { OpenLedgerError } from '../errors.ts'
import type { Address, Sha256Hex } from '../protocol/hex.ts'
import { sha256Hex } from '../protocol/ids.ts'
import { type DatasetPart, datasetPart } from '../protocol/record-hash.ts'

/** From this many contributors up, dev holds contributors whom training never saw. */
export const SPLIT_BY_CONTRIBUTOR_FROM = 10
const PPM = 1_000_000

export type AcceptedRecord = {
  readonly recordHash: Sha256Hex
  readonly contributor: Address
  readonly group: string
  /** `CopyKeys.normalized`: rows with the same key stay in one part. */
  readonly normalizedKey: string
  readonly submission: string
  /** False for an account that no governor vouched for. */
  readonly isVetted: boolean
}

export type FreezeRules = {
  /** Decides which rows go to dev and in which order training reads; public, fixed before the freeze. */
  readonly seed: string
  /** Largest part of the records that dev may hold. */
  readonly devSharePpm: number
  readonly maxRecordsPerUnvettedAccount: number
  /** Largest part of the frozen records that may come from all unvetted accounts together. */
  readonly maxUnvettedSharePpm: number
}

/** A flood of fresh accounts can then never be more than one record in twenty. */
export const UNVETTED_RULES = { maxRecordsPerUnvettedAccount: 25, maxUnvettedSharePpm: 50_000 } as const

export type LeftOutReason = 'unvetted-account-cap' | 'unvetted-share-cap'

export type FrozenDataset = {
  readonly splitBy: 'contributor' | 'group' | 'key' | 'none'
  readonly train: DatasetPart
  readonly dev: DatasetPart
  /** Record hashes of train in the order in which training reads them. */
  readonly trainOrder: readonly Sha256Hex[]
  /** Accepted, but not in this dataset; sorted by hash. */
  readonly leftOut: readonly { readonly recordHash: Sha256Hex; readonly reason: LeftOutReason }[]
}

/** Order that nobody can aim for without knowing the seed: SHA-256 over purpose, seed and name. */
function drawOrder<T>(items: readonly T[], purpose: string, seed: string, name: (item: T) => string): T[] {
  return items
    .map(item => ({ item, key: sha256Hex(`${purpose}\n${seed}\n${name(item)}`) }))
    .sort((left, right) => (left.key < right.key ? -1 : left.key > right.key ? 1 : 0))
    .map(({ item }) => item)
}

function groupBy<T>(items: readonly T[], key: (item: T) => string): Map<string, T[]> {
  const groups = new Map<string, T[]>()
  for (const item of items) {
    const group = groups.get(key(item))
    if (group === undefined) groups.set(key(item), [item])
    else group.push(item)
  }
  return groups
}

/** Largest u with u <= share of (vetted + u), in whole records. */
function unvettedAllowance(vetted: number, maxSharePpm: number): number {
  return maxSharePpm >= PPM
    ? Number.POSITIVE_INFINITY
    : Math.floor((vetted * maxSharePpm) / (PPM - maxSharePpm))
}

/**
 * Keeps all vetted records, of each unvetted account at most the cap, and of those at most their share of
 * the whole. Which ones is drawn by the seed, not by time of arrival, so that being early wins nothing.
 */
function capUnvetted(records: readonly AcceptedRecord[], rules: FreezeRules) {
  const leftOut: { recordHash: Sha256Hex; reason: LeftOutReason }[] = []
  const leave = (dropped: readonly AcceptedRecord[], reason: LeftOutReason) => {
    for (const { recordHash } of dropped) leftOut.push({ recordHash, reason })
  }
  const vetted = records.filter(record => record.isVetted)
  const drawn = drawOrder(
    records.filter(record => !record.isVetted),
    'unvetted',
    rules.seed,
    record => record.recordHash,
  )
  const capped = [...groupBy(drawn, record => record.contributor).values()].flatMap(own => {
    leave(own.slice(rules.maxRecordsPerUnvettedAccount), 'unvetted-account-cap')
    return own.slice(0, rules.maxRecordsPerUnvettedAccount)
  })
  const allowance = unvettedAllowance(vetted.length, rules.maxUnvettedSharePpm)
  const inDrawOrder = drawOrder(capped, 'unvetted', rules.seed, record => record.recordHash)
  leave(inDrawOrder.slice(allowance), 'unvetted-share-cap')
  return { kept: [...vetted, ...inDrawOrder.slice(0, allowance)], leftOut }
}

type SplitLevel = 'contributor' | 'group' | 'key'
const UNIT_OF: Readonly<Record<SplitLevel, (record: AcceptedRecord) => string>> = {
  contributor: record => record.contributor,
  group: record => record.group,
  key: record => record.normalizedKey,
}

/** Units joined where they share a normalized key (union-find); each set of records must not be cut. */
function joinedUnits(records: readonly AcceptedRecord[], level: SplitLevel): AcceptedRecord[][] {
  const parent = new Map<string, string>()
  const find = (unit: string): string => {
    let top = unit
    for (let next = parent.get(top); next !== undefined && next !== top; next = parent.get(top)) top = next
    // Path compression keeps later look-ups short.
    for (let at = unit; at !== top; ) {
      const next = parent.get(at) ?? top
      parent.set(at, top)
      at = next
    }
    return top
  }
  const unitOfKey = new Map<string, string>()
  for (const record of records) {
    const unit = UNIT_OF[level](record)
    const other = unitOfKey.get(record.normalizedKey)
    if (other === undefined) unitOfKey.set(record.normalizedKey, unit)
    else parent.set(find(unit), find(other))
  }
  return [...groupBy(records, record => find(UNIT_OF[level](record))).values()]
}

const smallestHash = (unit: readonly AcceptedRecord[]) => unit.map(record => record.recordHash).sort()[0]!

/** Units for dev: in drawn order, each that still fits; none where that leaves dev or train empty. */
function drawDev(
  units: readonly AcceptedRecord[][],
  rules: FreezeRules,
  total: number,
): AcceptedRecord[] | undefined {
  const target = Math.floor((total * rules.devSharePpm) / PPM)
  const dev: AcceptedRecord[] = []
  for (const unit of drawOrder(units, 'dev', rules.seed, smallestHash))
    if (dev.length + unit.length <= target) dev.push(...unit)
  return dev.length > 0 && dev.length < total ? dev : undefined
}

function split(records: readonly AcceptedRecord[], rules: FreezeRules) {
  const contributors = new Set(records.map(record => record.contributor)).size
  // Where everything hangs together at one level, the next finer one may still part it without a leak of keys.
  const levels: SplitLevel[] =
    contributors >= SPLIT_BY_CONTRIBUTOR_FROM ? ['contributor', 'group', 'key'] : ['group', 'key']
  for (const level of levels) {
    const dev = drawDev(joinedUnits(records, level), rules, records.length)
    if (dev !== undefined) return { splitBy: level, dev }
  }
  return { splitBy: 'none' as const, dev: [] }
}

function requireRules(rules: FreezeRules): void {
  const isPpm = (value: number) => Number.isInteger(value) && value >= 0 && value <= PPM
  const isSound =
    isPpm(rules.devSharePpm) &&
    isPpm(rules.maxUnvettedSharePpm) &&
    Number.isSafeInteger(rules.maxRecordsPerUnvettedAccount) &&
    rules.maxRecordsPerUnvettedAccount >= 0
  if (!isSound)
    throw new OpenLedgerError('malformed', 'not rules of a freeze', {
      expected: 'shares in ppm and a cap from 0',
    })
}

/**
 * The frozen dataset of these records. Holds after: train, dev and left-out records are disjoint and
 * together the input; no contributor (or group) and no normalized key is in both parts; the result does not
 * depend on the order of `records`. `splitBy: 'none'` means an empty dev.
 * @throws OpenLedgerError malformed for rules out of range or a record hash that comes twice
 */
export function freezeDataset(records: readonly AcceptedRecord[], rules: FreezeRules): FrozenDataset {
  requireRules(rules)
  // One order for all that follows, whatever order the store listed the rows in; also refuses repeated hashes.
  const position = new Map(
    datasetPart(records.map(record => record.recordHash)).hashes.map((hash, at) => [hash, at]),
  )
  const sorted = [...records].sort(
    (left, right) => position.get(left.recordHash)! - position.get(right.recordHash)!,
  )
  const { kept, leftOut } = capUnvetted(sorted, rules)
  const { splitBy, dev } = split(kept, rules)
  const isDev = new Set(dev.map(record => record.recordHash))
  const train = datasetPart(kept.map(record => record.recordHash).filter(hash => !isDev.has(hash)))
  return {
    splitBy,
    train,
    dev: datasetPart([...isDev]),
    trainOrder: drawOrder(train.hashes, 'train-order', rules.seed, hash => hash),
    leftOut: leftOut.sort((left, right) => (left.recordHash < right.recordHash ? -1 : 1)),
  }
}

export type UsableTrainPart = {
  /** `trainOrder` without the removed records. */
  readonly order: readonly Sha256Hex[]
  /** Revoked since the freeze, sorted; the run lists them. */
  readonly removed: readonly Sha256Hex[]
  readonly removedPpm: number
}

/**
 * What a run may still train on: the frozen order without records revoked since. Nothing else may change.
 * @throws OpenLedgerError dataset-changed when more than `maxRemovedPpm` of the records are gone
 */
export function removeRevoked(
  frozen: Pick<FrozenDataset, 'trainOrder'>,
  revoked: ReadonlySet<Sha256Hex>,
  maxRemovedPpm: number,
): UsableTrainPart {
  const order = frozen.trainOrder.filter(hash => !revoked.has(hash))
  const removed = frozen.trainOrder.filter(hash => revoked.has(hash)).sort()
  const removedPpm =
    frozen.trainOrder.length === 0 ? 0 : Math.ceil((removed.length * PPM) / frozen.trainOrder.length)
  if (removedPpm > maxRemovedPpm)
    throw new OpenLedgerError(
      'dataset-changed',
      'too many records were revoked since the dataset was frozen',
      {
        expected: `at most ${maxRemovedPpm} ppm removed`,
        seen: `${removedPpm} ppm`,
      },
    )
  return { order, removed, removedPpm }
}
