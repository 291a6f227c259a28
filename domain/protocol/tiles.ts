/**
 * The log as immutable files: C2SP tlog-tiles. Hash tiles of 256 hashes (8 tree levels) under
 * `tile/<level>/<index>`, entry bundles of 256 entries under `tile/entries/<index>`, partial ones with
 * `.p/<width>`. Level L of tiles holds the tree's nodes of level 8L.
 */
import { OpenLedgerError } from '../errors.ts'
import { concatBytes } from './hex.ts'
import { type Hash, nodeHash } from './merkle-log.ts'

/** C2SP tlog-tiles: tiles are 8 levels high. */
export const TILE_WIDTH = 256
const LEVELS_PER_TILE = 8
const HASH_BYTES = 32
/** The length prefix of a bundle's entry is a uint16. */
export const MAX_ENTRY_BYTES = 65_535

export interface Tile {
  /** Level of tiles, 0 for the leaf hashes. */
  readonly level: number
  readonly index: number
  /** Hashes or entries in it, 1 to 256. */
  readonly width: number
}

/** Tile index as path elements: 1234067 becomes x001/x234/067. */
function tileIndexPath(index: number): string {
  const groups = [String(index % 1000).padStart(3, '0')]
  for (let rest = Math.floor(index / 1000); rest > 0; rest = Math.floor(rest / 1000))
    groups.unshift(`x${String(rest % 1000).padStart(3, '0')}`)
  return groups.join('/')
}

function partialSuffix(width: number): string {
  if (!Number.isInteger(width) || width < 1 || width > TILE_WIDTH)
    throw new OpenLedgerError('malformed', 'no such tile', {
      expected: 'a width of 1 to 256',
      seen: String(width),
    })
  return width === TILE_WIDTH ? '' : `.p/${width}`
}

/** Path of a hash tile, for instance tile/0/x001/234 or tile/1/000.p/3. */
export function tilePath(tile: Tile): string {
  return `tile/${tile.level}/${tileIndexPath(tile.index)}${partialSuffix(tile.width)}`
}

/** Path of an entry bundle, for instance tile/entries/000.p/17. */
export function entriesPath(index: number, width: number = TILE_WIDTH): string {
  return `tile/entries/${tileIndexPath(index)}${partialSuffix(width)}`
}

/** The hash tiles of a tree of `newSize` that the tree of `oldSize` did not have in full, lowest level first. */
export function tilesToWrite(oldSize: number, newSize: number): Tile[] {
  const tiles: Tile[] = []
  let level = 0
  for (let before = oldSize, now = newSize; now > 0; level++) {
    // When nothing was added at this level, its partial tile is already there and so are those above.
    if (before === now) break
    for (let index = Math.floor(before / TILE_WIDTH); index * TILE_WIDTH < now; index++)
      tiles.push({ level, index, width: Math.min(TILE_WIDTH, now - index * TILE_WIDTH) })
    before = Math.floor(before / TILE_WIDTH)
    now = Math.floor(now / TILE_WIDTH)
  }
  return tiles
}

/** The entry bundles that go with `tilesToWrite`. */
export function bundlesToWrite(oldSize: number, newSize: number): Omit<Tile, 'level'>[] {
  return tilesToWrite(oldSize, newSize)
    .filter(tile => tile.level === 0)
    .map(({ index, width }) => ({ index, width }))
}

/** Content of a hash tile: its hashes one after the other. */
export function encodeTile(hashes: readonly Hash[]): Uint8Array {
  partialSuffix(hashes.length)
  return concatBytes(...hashes)
}

/** The hashes of a tile. @throws OpenLedgerError malformed */
export function decodeTile(bytes: Uint8Array): Hash[] {
  if (bytes.length % HASH_BYTES !== 0)
    throw new OpenLedgerError('malformed', 'not a hash tile', {
      expected: 'a multiple of 32 bytes',
      seen: `${bytes.length} bytes`,
    })
  const hashes = Array.from({ length: bytes.length / HASH_BYTES }, (_, at) =>
    bytes.slice(at * HASH_BYTES, (at + 1) * HASH_BYTES),
  )
  partialSuffix(hashes.length)
  return hashes
}

/** Root of 2^n hashes of a tile (of a full tile: the hash that stands for it one tile level up). */
export function tileRoot(hashes: readonly Hash[]): Hash {
  let level = [...hashes]
  while (level.length > 1) {
    if (level.length % 2 === 1)
      throw new OpenLedgerError('malformed', 'a partial tile has no root', {
        expected: 'a power of two of hashes',
        seen: String(hashes.length),
      })
    level = level.filter((_, at) => at % 2 === 0).map((left, at) => nodeHash(left, level[2 * at + 1]!))
  }
  return level[0]!
}

/** Where the perfect subtree (level, index) of a tree of `size` leaves is found in its tiles. */
export interface NodePlace {
  readonly tile: Tile
  /** The node is the root of the tile's hashes [start, start + count). */
  readonly start: number
  readonly count: number
}

/** The tile that holds a node, and which of its hashes make it. @throws OpenLedgerError malformed */
export function placeOfNode(level: number, index: number, size: number): NodePlace {
  const tileLevel = Math.floor(level / LEVELS_PER_TILE)
  const count = 2 ** (level % LEVELS_PER_TILE)
  const first = index * count
  const tileIndex = Math.floor(first / TILE_WIDTH)
  const width = Math.min(TILE_WIDTH, Math.floor(size / TILE_WIDTH ** tileLevel) - tileIndex * TILE_WIDTH)
  const start = first - tileIndex * TILE_WIDTH
  if (start + count > width)
    throw new OpenLedgerError('malformed', 'the tree has no such node', {
      expected: `a node within ${size} leaves`,
      seen: `level ${level}, index ${index}`,
    })
  return { tile: { level: tileLevel, index: tileIndex, width }, start, count }
}

/** Content of an entry bundle: each entry after its length as big-endian uint16. @throws too-large */
export function encodeBundle(entries: readonly Uint8Array[]): Uint8Array {
  partialSuffix(entries.length)
  return concatBytes(
    ...entries.flatMap(entry => {
      if (entry.length > MAX_ENTRY_BYTES)
        throw new OpenLedgerError('too-large', 'the log entry is too large', {
          expected: `at most ${MAX_ENTRY_BYTES} bytes`,
          seen: `${entry.length} bytes`,
        })
      return [Uint8Array.of(entry.length >> 8, entry.length & 0xff), entry]
    }),
  )
}

/** The entries of a bundle. @throws OpenLedgerError malformed */
export function decodeBundle(bytes: Uint8Array): Uint8Array[] {
  const entries: Uint8Array[] = []
  let at = 0
  while (at < bytes.length) {
    const start = at + 2
    const end = start + (bytes[at]! << 8) + (bytes[at + 1] ?? Number.NaN)
    if (!(end <= bytes.length))
      throw new OpenLedgerError('malformed', 'not an entry bundle', {
        expected: 'entries after their lengths',
        seen: `an entry that ends behind byte ${bytes.length}`,
      })
    entries.push(bytes.slice(start, end))
    at = end
  }
  return entries
}
