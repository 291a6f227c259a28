import { OpenLedgerError } from '../errors.ts'
import { bytesToDigits, type Sha256Hex } from '../protocol/hex.ts'
import {
  consistencyRanges,
  hashOfRange,
  inclusionRanges,
  type NodeReader,
  perfectSubtrees,
  type Range,
} from '../protocol/merkle-log.ts'
import { decodeTile, placeOfNode, tilePath, tileRoot } from '../protocol/tiles.ts'
import type { LogBook, ObjectStore } from './ports.ts'
import { logKey } from './publish-log.ts'

export type LeafProof = {
  readonly leafHash: Sha256Hex
  readonly index: number
  /** The entry as it was logged: canonical JSON. */
  readonly entry: string
  /** Hashes of the neighbors from the leaf up, in hex. */
  readonly proof: readonly Sha256Hex[]
  /** The signed head that the proof leads to. */
  readonly checkpoint: string
}

/**
 * Proof that a leaf is in the log, against the head that was published last and from the published tiles.
 * @throws OpenLedgerError not-found; unavailable when the leaf is in the log but not yet under a signed head
 */
export async function proveLeaf(
  deps: { log: LogBook; files: Pick<ObjectStore, 'get'> },
  leafHash: Sha256Hex,
): Promise<LeafProof> {
  const index = await deps.log.indexOf(leafHash)
  if (index === null) throw new OpenLedgerError('not-found', 'The log has no such leaf', { seen: leafHash })
  const published = await deps.log.published()
  if (published === null || published.frontier.size <= index) {
    throw new OpenLedgerError(
      'unavailable',
      'The leaf is not under a signed head yet; ask again in a minute',
      {
        expected: `a head of size ${index + 1} or more`,
        seen: String(published?.frontier.size ?? 0),
      },
    )
  }
  const { size } = published.frontier
  const proof = await hashesOf(deps.files, inclusionRanges(index, size), size)
  const [entry] = await deps.log.entries(index, index + 1)
  return { leafHash, index, entry: Buffer.from(entry!).toString('utf8'), proof, checkpoint: published.note }
}

/**
 * Proof that the log of `first` leaves is a prefix of the one of `second`, from the published tiles.
 * @throws OpenLedgerError malformed for sizes that shrink; not-found above the published size
 */
export async function proveConsistency(
  deps: { log: LogBook; files: Pick<ObjectStore, 'get'> },
  first: number,
  second: number,
): Promise<Sha256Hex[]> {
  const size = (await deps.log.published())?.frontier.size ?? 0
  if (second > size) {
    throw new OpenLedgerError('not-found', 'No head of this size was published', {
      expected: `at most ${size}`,
      seen: String(second),
    })
  }
  return hashesOf(deps.files, consistencyRanges(first, second), size)
}

async function hashesOf(
  files: Pick<ObjectStore, 'get'>,
  ranges: readonly Range[],
  size: number,
): Promise<Sha256Hex[]> {
  const node = await tileReader(files, ranges, size)
  return ranges.map(range => bytesToDigits(hashOfRange(range, node)) as Sha256Hex)
}

/** Reads the tiles that these ranges need, each once, and answers nodes from them. */
async function tileReader(
  files: Pick<ObjectStore, 'get'>,
  ranges: readonly Range[],
  size: number,
): Promise<NodeReader> {
  const places = ranges.flatMap(perfectSubtrees).map(({ level, index }) => placeOfNode(level, index, size))
  const paths = new Set(places.map(place => tilePath(place.tile)))
  const tiles = new Map(
    await Promise.all([...paths].map(async path => [path, await readTile(files, path)] as const)),
  )
  return (level, index) => {
    const { tile, start, count } = placeOfNode(level, index, size)
    return tileRoot(tiles.get(tilePath(tile))!.slice(start, start + count))
  }
}

async function readTile(files: Pick<ObjectStore, 'get'>, path: string): Promise<Uint8Array[]> {
  const bytes = await files.get(logKey(path))
  if (bytes === null)
    throw new OpenLedgerError('unavailable', 'A published tile does not answer', { seen: path })
  return decodeTile(bytes)
}
