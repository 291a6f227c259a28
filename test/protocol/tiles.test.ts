import fc from 'fast-check'
import {
  consistencyProof,
  type Hash,
  inclusionProof,
  leafHash,
  levelsReader,
  root,
  treeLevels,
  verifyConsistency,
  verifyInclusion,
} from '../../domain/protocol/merkle-log.ts'
import {
  bundlesToWrite,
  decodeBundle,
  decodeTile,
  encodeBundle,
  encodeTile,
  entriesPath,
  placeOfNode,
  TILE_WIDTH,
  tilePath,
  tileRoot,
  tilesToWrite,
} from '../../domain/protocol/tiles.ts'
import { proveRuns } from '../support/prove-runs.ts'

const coded = (code: string) => expect.objectContaining({ code })
const hashOf = (at: number) => leafHash(new TextEncoder().encode(`entry ${at}`))

/** A store of tiles that is only ever written by appending, as the log writer does it. */
class TileStore {
  readonly files = new Map<string, Uint8Array>()
  readonly leaves: Hash[] = []

  append(count: number): void {
    const oldSize = this.leaves.length
    for (let at = 0; at < count; at++) this.leaves.push(hashOf(oldSize + at))
    for (const tile of tilesToWrite(oldSize, this.leaves.length)) {
      const start = tile.index * TILE_WIDTH
      const hashes = Array.from({ length: tile.width }, (_, at) =>
        tile.level === 0
          ? this.leaves[start + at]!
          : tileRoot(this.read({ level: tile.level - 1, index: start + at, width: TILE_WIDTH })),
      )
      this.files.set(tilePath(tile), encodeTile(hashes))
    }
  }

  read(tile: { level: number; index: number; width: number }): Hash[] {
    return decodeTile(this.files.get(tilePath(tile))!)
  }

  node(size: number) {
    return (level: number, index: number): Hash => {
      const { tile, start, count } = placeOfNode(level, index, size)
      return tileRoot(this.read(tile).slice(start, start + count))
    }
  }
}

describe('tiles', () => {
  it('spells indexes as C2SP tlog-tiles does', () => {
    expect(tilePath({ level: 0, index: 1_234_067, width: 256 })).toBe('tile/0/x001/x234/067')
    expect(tilePath({ level: 2, index: 0, width: 1 })).toBe('tile/2/000.p/1')
    expect(entriesPath(999)).toBe('tile/entries/999')
    expect(entriesPath(1000, 17)).toBe('tile/entries/x001/000.p/17')
    for (const width of [0, 257]) expect(() => entriesPath(0, width)).toThrow(coded('malformed'))
  })

  it('stores a tree of 70,000 as the specification says', () => {
    const tiles = tilesToWrite(0, 70_000)
    const at = (level: number) => tiles.filter(tile => tile.level === level)
    expect(at(0)).toHaveLength(274)
    expect(at(0).at(-1)).toEqual({ level: 0, index: 273, width: 112 })
    expect(at(1)).toEqual([
      { level: 1, index: 0, width: 256 },
      { level: 1, index: 1, width: 17 },
    ])
    expect(at(2)).toEqual([{ level: 2, index: 0, width: 1 }])
    expect(tiles).toHaveLength(277)
    expect(tilesToWrite(0, 256)).toEqual([
      { level: 0, index: 0, width: 256 },
      { level: 1, index: 0, width: 1 },
    ])
    expect(tilesToWrite(5, 5)).toEqual([])
  })

  it('never writes a full tile twice', () => {
    expect(tilesToWrite(256, 257)).toEqual([{ level: 0, index: 1, width: 1 }])
    expect(bundlesToWrite(255, 257)).toEqual([
      { index: 0, width: 256 },
      { index: 1, width: 1 },
    ])
  })

  it('gives the same proofs from tiles as from all the leaves', () => {
    const store = new TileStore()
    for (const count of [1, 254, 1, 1, 300, 500, 7]) store.append(count)
    const size = store.leaves.length
    const direct = levelsReader(treeLevels(store.leaves))
    const stored = store.node(size)
    fc.assert(
      fc.property(fc.nat(size - 1), fc.nat(size), (index, first) => {
        const inclusion = inclusionProof(index, size, stored)
        expect(inclusion).toEqual(inclusionProof(index, size, direct))
        expect(verifyInclusion(store.leaves[index]!, index, size, inclusion, root(store.leaves))).toBe(true)
        const consistency = consistencyProof(first, size, stored)
        const firstRoot = root(store.leaves.slice(0, first))
        expect(verifyConsistency(first, size, firstRoot, root(store.leaves), consistency)).toBe(true)
      }),
      proveRuns(),
    )
  })

  it('says where no node can be', () => {
    expect(() => placeOfNode(0, 10, 10)).toThrow(coded('malformed'))
    expect(() => placeOfNode(3, 1, 10)).toThrow(coded('malformed'))
    expect(() => tileRoot([hashOf(0), hashOf(1), hashOf(2)])).toThrow(coded('malformed'))
  })

  it('bundles entries behind their lengths', () => {
    const entries = fc.array(fc.uint8Array({ maxLength: 600 }), { minLength: 1, maxLength: 256 })
    fc.assert(
      fc.property(entries, given => expect(decodeBundle(encodeBundle(given))).toEqual(given)),
      proveRuns(),
    )
    expect(encodeBundle([Uint8Array.of(7, 8)])).toEqual(Uint8Array.of(0, 2, 7, 8))
    expect(() => encodeBundle([new Uint8Array(65_536)])).toThrow(coded('too-large'))
    for (const cut of [Uint8Array.of(0), Uint8Array.of(0, 3, 1, 2)])
      expect(() => decodeBundle(cut)).toThrow(coded('malformed'))
    expect(() => decodeTile(new Uint8Array(33))).toThrow(coded('malformed'))
  })
})
