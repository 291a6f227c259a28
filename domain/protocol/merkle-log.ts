/**
 * The append-only Merkle log: RFC 6962 hashes (SHA-256) with the proof algorithms of RFC 9162. Pure: a tree
 * is read through `NodeReader`, so that the same code runs over an array of leaves and over stored tiles.
 * Sizes and indexes are numbers up to 2^53 - 1 (so no 32-bit operators here); hashes are 32 bytes.
 */
import { OpenLedgerError } from '../errors.ts'
import { compareBytes } from './hex.ts'
import { sha256 } from './ids.ts'

export type Hash = Uint8Array

/** RFC 6962 section 2.1: the prefixes keep a leaf from ever being read as a node (second preimage). */
const LEAF_PREFIX = Uint8Array.of(0)
const NODE_PREFIX = Uint8Array.of(1)

/** Hash of a log entry: SHA-256(0x00 || entry). */
export function leafHash(entry: Uint8Array): Hash {
  return sha256(LEAF_PREFIX, entry)
}

/** Hash of two subtrees: SHA-256(0x01 || left || right). */
export function nodeHash(left: Hash, right: Hash): Hash {
  return sha256(NODE_PREFIX, left, right)
}

/** Root of the tree without entries: SHA-256 of nothing. */
export function emptyRoot(): Hash {
  return sha256()
}

/** The leaves [start, end) of a tree. */
export interface Range {
  readonly start: number
  readonly end: number
}

/** Hash of the perfect subtree over the leaves [index * 2^level, (index + 1) * 2^level). */
export type NodeReader = (level: number, index: number) => Hash

/** The largest power of two below n, for n > 1 (the split of RFC 6962 section 2.1), with its exponent. */
function splitBelow(n: number): { readonly width: number; readonly level: number } {
  let width = 1
  let level = 0
  while (width * 2 < n) {
    width *= 2
    level++
  }
  return { width, level }
}

/** The perfect subtrees that make up a subtree of a Merkle tree, left to right. */
export function perfectSubtrees(range: Range): { readonly level: number; readonly index: number }[] {
  const nodes: { level: number; index: number }[] = []
  let start = range.start
  while (start < range.end) {
    let { width, level } = splitBelow(range.end - start + 1)
    while (start % width !== 0) {
      width /= 2
      level--
    }
    nodes.push({ level, index: start / width })
    start += width
  }
  return nodes
}

/** Hash of the subtree over the leaves of `range`, which must be a subtree of a Merkle tree. */
export function hashOfRange(range: Range, node: NodeReader): Hash {
  const parts = perfectSubtrees(range).map(({ level, index }) => node(level, index))
  return foldRight(parts)
}

/** Joins perfect subtrees of falling size from the right, as RFC 6962's recursion does. */
function foldRight(parts: readonly Hash[]): Hash {
  let hash = parts.at(-1)
  if (hash === undefined) return emptyRoot()
  for (let at = parts.length - 2; at >= 0; at--) hash = nodeHash(parts[at]!, hash)
  return hash
}

/** All perfect subtrees of a list of leaf hashes: `levels[level][index]`. */
export function treeLevels(leafHashes: readonly Hash[]): Hash[][] {
  const levels: Hash[][] = [[...leafHashes]]
  for (let below = levels[0]!; below.length > 1; ) {
    const level: Hash[] = []
    for (let at = 0; at + 1 < below.length; at += 2) level.push(nodeHash(below[at]!, below[at + 1]!))
    levels.push(level)
    below = level
  }
  return levels
}

/** Reads nodes from `treeLevels`; build the levels once when many proofs are wanted. */
export function levelsReader(levels: readonly (readonly Hash[])[]): NodeReader {
  return (level, index) => {
    const hash = levels[level]?.[index]
    if (hash === undefined) throw new RangeError(`no node ${index} at level ${level}`)
    return hash
  }
}

/** Merkle tree head of a list of leaf hashes (RFC 6962 section 2.1). */
export function root(leafHashes: readonly Hash[]): Hash {
  let frontier = EMPTY_FRONTIER
  for (const hash of leafHashes) frontier = appendLeaf(frontier, hash)
  return frontierRoot(frontier)
}

/**
 * All that an appender has to keep: the size and the roots of the perfect subtrees of the tree's right edge,
 * from the widest to the narrowest (one for each bit that is set in the size).
 */
export interface Frontier {
  readonly size: number
  readonly hashes: readonly Hash[]
}

export const EMPTY_FRONTIER: Frontier = { size: 0, hashes: [] }

/** The frontier after one more leaf, in O(log n). */
export function appendLeaf(frontier: Frontier, hash: Hash): Frontier {
  const hashes = [...frontier.hashes]
  let merged = hash
  for (let size = frontier.size; size % 2 === 1; size = (size - 1) / 2)
    merged = nodeHash(hashes.pop()!, merged)
  hashes.push(merged)
  return { size: frontier.size + 1, hashes }
}

/** Root of the tree that the frontier stands for. */
export function frontierRoot(frontier: Frontier): Hash {
  return foldRight(frontier.hashes)
}

/** The frontier of the first `size` leaves of a stored tree. */
export function frontierOf(size: number, node: NodeReader): Frontier {
  return {
    size,
    hashes: perfectSubtrees({ start: 0, end: size }).map(({ level, index }) => node(level, index)),
  }
}

function requireSize(holds: boolean, expected: string, seen: string): void {
  if (!holds) throw new OpenLedgerError('malformed', `no such Merkle proof: ${expected}`, { expected, seen })
}

/**
 * The subtrees whose hashes prove that leaf `index` is in the tree of `size` leaves, from the leaf up
 * (PATH of RFC 6962 section 2.1.1). @throws OpenLedgerError malformed
 */
export function inclusionRanges(index: number, size: number): Range[] {
  requireSize(index >= 0 && index < size, 'an index below the size', `index ${index} of ${size}`)
  const down: Range[] = []
  let start = 0
  let end = size
  while (end - start > 1) {
    const middle = start + splitBelow(end - start).width
    if (index < middle) {
      down.push({ start: middle, end })
      end = middle
    } else {
      down.push({ start, end: middle })
      start = middle
    }
  }
  return down.reverse()
}

/**
 * The subtrees whose hashes prove that the tree of `first` leaves is a prefix of the tree of `second`
 * (PROOF of RFC 6962 section 2.1.2). Empty for first = 0 and first = second. @throws malformed
 */
export function consistencyRanges(first: number, second: number): Range[] {
  requireSize(first >= 0 && first <= second, 'sizes that do not shrink', `${first} to ${second}`)
  if (first === 0 || first === second) return []
  const down: Range[] = []
  let start = 0
  let end = second
  let isWholeFirst = true
  while (first !== end) {
    const middle = start + splitBelow(end - start).width
    if (first <= middle) {
      down.push({ start: middle, end })
      end = middle
    } else {
      down.push({ start, end: middle })
      start = middle
      isWholeFirst = false
    }
  }
  // The verifier already holds the first root when it is one perfect subtree from the left.
  if (!isWholeFirst) down.push({ start, end })
  return down.reverse()
}

/** Inclusion proof of one leaf, bottom up. @throws OpenLedgerError malformed */
export function inclusionProof(index: number, size: number, node: NodeReader): Hash[] {
  return inclusionRanges(index, size).map(range => hashOfRange(range, node))
}

/** Consistency proof between two sizes. @throws OpenLedgerError malformed */
export function consistencyProof(first: number, second: number, node: NodeReader): Hash[] {
  return consistencyRanges(first, second).map(range => hashOfRange(range, node))
}

const isOdd = (n: number) => n % 2 === 1
const half = (n: number) => Math.floor(n / 2)
const isEqual = (left: Hash, right: Hash) => compareBytes(left, right) === 0
const isSize = (n: number) => Number.isSafeInteger(n) && n >= 0

/** The root that an inclusion proof leads to, or undefined if its length is wrong (RFC 9162, 2.1.3.2). */
function rootFromInclusion(
  hash: Hash,
  index: number,
  size: number,
  proof: readonly Hash[],
): Hash | undefined {
  if (!isSize(index) || !isSize(size) || index >= size) return undefined
  let fn = index
  let sn = size - 1
  let r = hash
  for (const p of proof) {
    if (sn === 0) return undefined
    if (isOdd(fn) || fn === sn) {
      r = nodeHash(p, r)
      while (!isOdd(fn) && fn !== 0) {
        fn = half(fn)
        sn = half(sn)
      }
    } else {
      r = nodeHash(r, p)
    }
    fn = half(fn)
    sn = half(sn)
  }
  return sn === 0 ? r : undefined
}

/** True if the proof shows the leaf at `index` of the tree with this size and root. */
export function verifyInclusion(
  hash: Hash,
  index: number,
  size: number,
  proof: readonly Hash[],
  treeRoot: Hash,
): boolean {
  const found = rootFromInclusion(hash, index, size, proof)
  return found !== undefined && isEqual(found, treeRoot)
}

/** True if the proof shows the first tree to be a prefix of the second (RFC 9162, section 2.1.4.2). */
export function verifyConsistency(
  first: number,
  second: number,
  firstRoot: Hash,
  secondRoot: Hash,
  proof: readonly Hash[],
): boolean {
  if (!isSize(first) || !isSize(second) || first > second) return false
  if (first === second) return proof.length === 0 && isEqual(firstRoot, secondRoot)
  if (first === 0) return proof.length === 0 && isEqual(firstRoot, emptyRoot())
  let fn = first - 1
  let sn = second - 1
  while (isOdd(fn)) {
    fn = half(fn)
    sn = half(sn)
  }
  // fn is zero now exactly if `first` is a power of two; then the first root itself begins the path.
  const path = fn === 0 ? [firstRoot, ...proof] : proof
  const seed = path[0]
  if (seed === undefined) return false
  let fr = seed
  let sr = seed
  for (const c of path.slice(1)) {
    if (sn === 0) return false
    if (isOdd(fn) || fn === sn) {
      fr = nodeHash(c, fr)
      sr = nodeHash(c, sr)
      while (!isOdd(fn) && fn !== 0) {
        fn = half(fn)
        sn = half(sn)
      }
    } else {
      sr = nodeHash(sr, c)
    }
    fn = half(fn)
    sn = half(sn)
  }
  return sn === 0 && isEqual(fr, firstRoot) && isEqual(sr, secondRoot)
}
