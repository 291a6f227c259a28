import { OpenLedgerError } from '../errors.ts'
import { canonicalBytes } from '../protocol/canonical-json.ts'
import { bytesToDigits, hexToBytes, type Sha256Hex } from '../protocol/hex.ts'
import { appendLeaf, leafHash } from '../protocol/merkle-log.ts'
import { MAX_ENTRY_BYTES } from '../protocol/tiles.ts'
import { parseLeaf } from './attribution-leaf.ts'
import type { Leaf, LogBook, LogEntry, Pause } from './ports.ts'

/** DynamoDB takes 100 items a transaction; an entry is two, the head one. */
const MAX_ENTRIES_PER_WRITE = 49
/** Of appenders that meet, one wins; with the pauses this is about half a minute, after which it is overload. */
const MAX_ROUNDS = 60
const GENESIS = 'genesis'

type KnownEntry = LogEntry & { readonly isGenesis: boolean }

/**
 * Appends leaves in order and answers with their indexes. The leaf itself is its natural key: a leaf that is in
 * the log already keeps its index, so a repeated call changes nothing. The first leaf of a log is its genesis
 * document, and there is no other.
 * @throws OpenLedgerError malformed for a leaf of no known kind, too-large; unavailable before the genesis was
 * logged, and when too many append at once (retry); conflict for a second genesis
 */
export async function appendLeaves(
  deps: { log: LogBook; pause: Pause },
  leaves: readonly Leaf[],
): Promise<number[]> {
  const entries = leaves.map(leaf => ({ ...toEntry(parseLeaf(leaf)), isGenesis: leaf.kind === GENESIS }))
  const indexes = new Map<Sha256Hex, number>()
  const distinct = [...new Map(entries.map(entry => [entry.leafHash, entry])).values()]
  for (let at = 0; at < distinct.length; at += MAX_ENTRIES_PER_WRITE) {
    const found = await appendChunk(deps, distinct.slice(at, at + MAX_ENTRIES_PER_WRITE))
    for (const [hash, index] of found) indexes.set(hash, index)
  }
  return entries.map(entry => indexes.get(entry.leafHash)!)
}

async function appendChunk(deps: { log: LogBook; pause: Pause }, chunk: readonly KnownEntry[]) {
  const indexes = new Map<Sha256Hex, number>()
  for (let round = 0; round < MAX_ROUNDS; round++) {
    if (round > 0) await deps.pause(round)
    const [before, found] = await Promise.all([
      deps.log.head(),
      Promise.all(chunk.map(entry => deps.log.indexOf(entry.leafHash))),
    ])
    chunk.forEach((entry, at) => {
      const index = found[at]
      if (typeof index === 'number') indexes.set(entry.leafHash, index)
    })
    const missing = chunk.filter(entry => !indexes.has(entry.leafHash))
    if (missing.length === 0) return indexes
    requireGenesisFirst(before.size, missing)
    const after = missing.reduce(
      (frontier, entry) => appendLeaf(frontier, hexToBytes(entry.leafHash)),
      before,
    )
    if ((await deps.log.append(before, missing, after)) === 'appended') {
      missing.forEach((entry, at) => {
        indexes.set(entry.leafHash, before.size + at)
      })
      return indexes
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

function requireGenesisFirst(size: number, missing: readonly KnownEntry[]) {
  if (size === 0 && missing[0]?.isGenesis !== true) {
    throw new OpenLedgerError('unavailable', 'The log has no genesis document yet', {
      expected: '`openledger genesis`, once after the first deploy',
      seen: 'an empty log',
    })
  }
  if (missing.some((entry, at) => entry.isGenesis && size + at > 0)) {
    throw new OpenLedgerError('conflict', 'The log begins with another genesis document', {
      expected: 'the facts of the first deploy; keys and governors change by a logged rotation',
      seen: 'other facts',
    })
  }
}
