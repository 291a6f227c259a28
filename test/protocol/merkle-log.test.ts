import fc from 'fast-check'
import { bytesToDigits, hexToBytes } from '../../domain/protocol/hex.ts'
import {
  appendLeaf,
  consistencyProof,
  EMPTY_FRONTIER,
  emptyRoot,
  frontierOf,
  frontierRoot,
  type Hash,
  inclusionProof,
  leafHash,
  levelsReader,
  nodeHash,
  root,
  treeLevels,
  verifyConsistency,
  verifyInclusion,
} from '../../domain/protocol/merkle-log.ts'
import { proveRuns } from '../support/prove-runs.ts'

// The classic vectors of the certificate-transparency reference code.
const ENTRIES = [
  '',
  '00',
  '10',
  '2021',
  '3031',
  '40414243',
  '5051525354555657',
  '606162636465666768696a6b6c6d6e6f',
]
const ROOTS = [
  '6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d',
  'fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125',
  'aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77',
  'd37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7',
  '4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4',
  '76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef',
  'ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c',
  '5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328',
]
const leaves = ENTRIES.map(entry => leafHash(hexToBytes(entry)))
const node = levelsReader(treeLevels(leaves))
const hex = (hashes: readonly Hash[]) => hashes.map(bytesToDigits)

/** A tree of any leaves, for the properties. */
function aTree(size: number) {
  const hashes = Array.from({ length: size }, (_, at) => leafHash(Uint8Array.of(at >> 8, at & 255)))
  return { hashes, node: levelsReader(treeLevels(hashes)), rootAt: (n: number) => root(hashes.slice(0, n)) }
}

/** RFC 6962 section 2.1 word for word, as the second opinion. */
function rootByDefinition(hashes: readonly Hash[]): Hash {
  if (hashes.length === 0) return emptyRoot()
  if (hashes.length === 1) return hashes[0]!
  let k = 1
  while (k * 2 < hashes.length) k *= 2
  return nodeHash(rootByDefinition(hashes.slice(0, k)), rootByDefinition(hashes.slice(k)))
}

describe('the Merkle log', () => {
  it('has the published roots for 0 to 8 entries', () => {
    expect(bytesToDigits(root([]))).toBe('e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855')
    expect(ROOTS).toEqual(ROOTS.map((_, at) => bytesToDigits(root(leaves.slice(0, at + 1)))))
  })

  it.each([
    [0, 1, []],
    [
      0,
      8,
      [
        '96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7',
        '5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e',
        '6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4',
      ],
    ],
    [
      5,
      8,
      [
        'bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b',
        'ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0',
        'd37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7',
      ],
    ],
    [2, 3, ['fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125']],
    [
      1,
      5,
      [
        '6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d',
        '5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e',
        'bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b',
      ],
    ],
  ])('has the published inclusion proof of leaf %d in %d', (index, size, expected) => {
    expect(hex(inclusionProof(index, size, node))).toEqual(expected)
  })

  it.each([
    [1, 1, []],
    [
      1,
      8,
      [
        '96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7',
        '5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e',
        '6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4',
      ],
    ],
    [
      6,
      8,
      [
        '0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a',
        'ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0',
        'd37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7',
      ],
    ],
    [
      2,
      5,
      [
        '5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e',
        'bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b',
      ],
    ],
  ])('has the published consistency proof from %d to %d', (first, second, expected) => {
    expect(hex(consistencyProof(first, second, node))).toEqual(expected)
  })

  it('has the root of the definition at every size, whether built at once or leaf by leaf', () => {
    const { hashes, node: reader } = aTree(130)
    let frontier = EMPTY_FRONTIER
    for (let size = 0; size <= 130; size++) {
      expect(frontierRoot(frontier)).toEqual(rootByDefinition(hashes.slice(0, size)))
      expect(frontierOf(size, reader)).toEqual(frontier)
      if (size < 130) frontier = appendLeaf(frontier, hashes[size]!)
    }
  })

  it('verifies every inclusion and every consistency of the small trees', () => {
    const { hashes, node: reader, rootAt } = aTree(40)
    for (let size = 1; size <= 40; size++) {
      for (let index = 0; index < size; index++) {
        const proof = inclusionProof(index, size, reader)
        expect(verifyInclusion(hashes[index]!, index, size, proof, rootAt(size))).toBe(true)
      }
      for (let first = 0; first <= size; first++) {
        const proof = consistencyProof(first, size, reader)
        expect(verifyConsistency(first, size, rootAt(first), rootAt(size), proof)).toBe(true)
      }
    }
  })

  it('accepts no proof that was changed in any place', () => {
    const tree = aTree(300)
    const flip = (hash: Hash, at: number) => hash.map((byte, place) => (place === at ? byte ^ 1 : byte))
    fc.assert(
      fc.property(fc.integer({ min: 2, max: 300 }), fc.nat(), fc.nat(31), (size, pick, at) => {
        const index = pick % size
        const hash = tree.hashes[index]!
        const treeRoot = tree.rootAt(size)
        const proof = inclusionProof(index, size, tree.node)
        const changed = proof.map((p, place) => (place === pick % proof.length ? flip(p, at) : p))
        expect(verifyInclusion(hash, index, size, changed, treeRoot)).toBe(false)
        expect(verifyInclusion(flip(hash, at), index, size, proof, treeRoot)).toBe(false)
        expect(verifyInclusion(hash, index, size, proof.slice(1), treeRoot)).toBe(false)
        expect(verifyInclusion(hash, index, size, [...proof, hash], treeRoot)).toBe(false)
        expect(verifyInclusion(hash, size, size, proof, treeRoot)).toBe(false)
        // The last leaf of an uneven tree can sit at several indexes by its path; the length must tell.
        expect(verifyInclusion(hash, (index + 1) % size, size, proof, treeRoot)).toBe(false)

        const first = 1 + (pick % (size - 1))
        const consistency = consistencyProof(first, size, tree.node)
        const broken = consistency.map((p, place) => (place === pick % consistency.length ? flip(p, at) : p))
        const firstRoot = tree.rootAt(first)
        expect(verifyConsistency(first, size, firstRoot, treeRoot, consistency)).toBe(true)
        expect(verifyConsistency(first, size, firstRoot, treeRoot, broken)).toBe(false)
        expect(verifyConsistency(first, size, flip(firstRoot, at), treeRoot, consistency)).toBe(false)
        expect(verifyConsistency(first, size, firstRoot, flip(treeRoot, at), consistency)).toBe(false)
        expect(verifyConsistency(first, size, firstRoot, treeRoot, consistency.slice(0, -1))).toBe(false)
        expect(verifyConsistency(first, size, firstRoot, treeRoot, [...consistency, hash])).toBe(false)
      }),
      proveRuns(),
    )
  })

  it('refuses proofs of trees that cannot be', () => {
    const coded = expect.objectContaining({ code: 'malformed' })
    expect(() => inclusionProof(8, 8, node)).toThrow(coded)
    expect(() => inclusionProof(-1, 8, node)).toThrow(coded)
    expect(() => consistencyProof(5, 4, node)).toThrow(coded)
    expect(verifyConsistency(0, 3, emptyRoot(), node(0, 0), [node(0, 0)])).toBe(false)
    expect(verifyConsistency(0, 3, node(0, 0), node(0, 0), [])).toBe(false)
  })

  it('counts beyond 32 bits', () => {
    // A tree of 2^40 equal leaves: every subtree of one level has one hash.
    const byLevel = [leaves[0]!]
    for (let level = 1; level <= 40; level++) byLevel.push(nodeHash(byLevel[level - 1]!, byLevel[level - 1]!))
    const reader = (level: number) => byLevel[level]!
    const size = 2 ** 40
    const proof = inclusionProof(size - 3, size, reader)
    expect(proof).toHaveLength(40)
    expect(verifyInclusion(leaves[0]!, size - 3, size, proof, byLevel[40]!)).toBe(true)
    const consistency = consistencyProof(2 ** 39 + 1, size, reader)
    const firstRoot = nodeHash(byLevel[39]!, byLevel[0]!)
    expect(verifyConsistency(2 ** 39 + 1, size, firstRoot, byLevel[40]!, consistency)).toBe(true)
  })
})
