import { OpenLedgerError } from '../errors.ts'
import { canonicalBytes } from '../protocol/canonical-json.ts'
import { bytesToDigits, hexToBytes, type Sha256Hex } from '../protocol/hex.ts'
import { appendLeaf, type Frontier, leafHash } from '../protocol/merkle-log.ts'
import { MAX_ENTRY_BYTES } from '../protocol/tiles.ts'
import type { Leaf, LogBook, LogEntry } from './ports.ts'

/** DynamoDB takes 100 items a transaction; an entry is two, the head one. */
const MAX_ENTRIES_PER_WRITE = 49
/** Of appenders that meet, one wins each round; more than this many at once is overload, not bad luck. */
const MAX_ROUNDS = 200
const GENESIS = 'genesis'

/**
 * Appends leaves in order and answers with their indexes. The leaf itself is its natural key: a leaf that is in
 * the log already keeps its index, so a repeated call changes nothing. The first leaf of a log is its genesis
 * document, and there is no other.
 * @throws OpenLedgerError malformed or too-large for a leaf that no log takes; unavailable before the genesis
 * was logged, and when too many append at once (retry: nothing was stored); conflict for a second genesis
 */
export async function appendLeaves(deps: { log: LogBook }, leaves: readonly Leaf[]): Promise<number[]> {
  const entries = leaves.map(toEntry)
  const known = new Map<Sha256Hex, number>()
  for (let round = 0; round < MAX_ROUNDS; round++) {
    const before = await deps.log.head()
    for (const { leafHash } of entries) {
      if (known.has(leafHash)) continue
      const index = await deps.log.indexOf(leafHash)
      if (index !== null) known.set(leafHash, index)
    }
    const missing = distinct(entries).filter(entry => !known.has(entry.leafHash))
    if (missing.length === 0) return entries.map(entry => known.get(entry.leafHash)!)
    requireGenesisFirst(before, missing, leaves)
    const batch = missing.slice(0, MAX_ENTRIES_PER_WRITE)
    const after = batch.reduce((frontier, entry) => appendLeaf(frontier, hexToBytes(entry.leafHash)), before)
    if ((await deps.log.append(before, batch, after)) === 'appended') {
      batch.forEach((entry, at) => {
        known.set(entry.leafHash, before.size + at)
      })
    }
  }
  throw new OpenLedgerError('unavailable', 'Too many append to the log at this moment; send it again')
}

/** The bytes and the hash of a leaf: canonical JSON (RFC 8785), hashed as RFC 6962 says. */
export function toEntry(leaf: Leaf): LogEntry {
  const bytes = canonicalBytes(leaf)
  if (bytes.length > MAX_ENTRY_BYTES) {
    throw new OpenLedgerError('too-large', 'The log takes no leaf of this size', {
      expected: `at most ${MAX_ENTRY_BYTES} bytes`,
      seen: `${bytes.length} bytes`,
    })
  }
  return { bytes, leafHash: bytesToDigits(leafHash(bytes)) as Sha256Hex }
}

function distinct(entries: readonly LogEntry[]): LogEntry[] {
  return [...new Map(entries.map(entry => [entry.leafHash, entry])).values()]
}

function requireGenesisFirst(head: Frontier, missing: readonly LogEntry[], leaves: readonly Leaf[]) {
  const genesis = leaves.filter(leaf => leaf.kind === GENESIS).map(leaf => toEntry(leaf).leafHash)
  if (head.size === 0 && missing[0]?.leafHash !== genesis[0]) {
    throw new OpenLedgerError('unavailable', 'The log has no genesis document yet', {
      expected: '`openledger genesis`, once after the first deploy',
      seen: 'an empty log',
    })
  }
  const second = head.size > 0 ? missing : missing.slice(1)
  if (second.some(entry => genesis.includes(entry.leafHash))) {
    throw new OpenLedgerError('conflict', 'The log begins with another genesis document', {
      expected: 'the facts of the first deploy; keys and governors change by a logged rotation',
      seen: 'other facts',
    })
  }
}
