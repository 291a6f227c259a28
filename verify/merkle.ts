/** Merkle trees of docs/protocol.md sections 6, 9 and 12 (RFC 6962 hashes, OpenZeppelin trees), on their own. */
import { compareBytes, fromHex, keccak256, sha256, toHex } from './bytes.ts'

export const leafHash = (entry: Uint8Array): Uint8Array => sha256(Uint8Array.of(0), entry)
const nodeHash = (left: Uint8Array, right: Uint8Array) => sha256(Uint8Array.of(1), left, right)

/**
 * The root to which an RFC 6962 inclusion proof leads. Walks down from the tree's shape to know each side,
 * instead of up over bits, so that this is a second way and not a copy. @throws Error when the length is wrong
 */
function rootFromInclusion(
  hash: Uint8Array,
  index: number,
  size: number,
  proof: readonly string[],
): Uint8Array {
  if (!Number.isSafeInteger(index) || !Number.isSafeInteger(size) || index < 0 || index >= size)
    throw new Error(`no leaf ${index} in a tree of ${size}`)
  const isRight: boolean[] = []
  for (let at = index, width = size; width > 1; ) {
    let left = 1
    while (left * 2 < width) left *= 2
    const goesRight = at >= left
    isRight.push(goesRight)
    if (goesRight) at -= left
    width = goesRight ? width - left : left
  }
  if (isRight.length !== proof.length)
    throw new Error(`the proof has ${proof.length} hashes, the tree needs ${isRight.length}`)
  return isRight.reduceRight((found, right, depth) => {
    const sibling = hashFromHex(proof[isRight.length - 1 - depth])
    return right ? nodeHash(sibling, found) : nodeHash(found, sibling)
  }, hash)
}

function hashFromHex(text: string | undefined): Uint8Array {
  if (text === undefined || !/^[0-9a-f]{64}$/.test(text)) throw new Error('a proof holds no SHA-256')
  return fromHex(text)
}

/** @throws Error unless the proof leads from the leaf to the root */
export function requireInclusion(
  hash: Uint8Array,
  index: number,
  size: number,
  proof: readonly string[],
  root: string,
): void {
  const found = toHex(rootFromInclusion(hash, index, size, proof))
  if (found !== root) throw new Error(`the proof leads to ${found}, not to the root ${root}`)
}

/** RFC 6962 root of leaf hashes, by the definition. */
export function merkleRoot(hashes: readonly Uint8Array[]): Uint8Array {
  if (hashes.length === 0) return sha256()
  if (hashes.length === 1) return hashes[0]!
  let left = 1
  while (left * 2 < hashes.length) left *= 2
  return nodeHash(merkleRoot(hashes.slice(0, left)), merkleRoot(hashes.slice(left)))
}

/** Leaf of OpenZeppelin's StandardMerkleTree over (address, uint256). */
export function payoutLeaf(account: string, cumulativeAmount: bigint): Uint8Array {
  const amount = cumulativeAmount.toString(16).padStart(64, '0')
  return keccak256(keccak256(fromHex(account.slice(2).padStart(64, '0') + amount)))
}

const pairHash = (left: Uint8Array, right: Uint8Array) =>
  compareBytes(left, right) <= 0 ? keccak256(left, right) : keccak256(right, left)

/** Root of OpenZeppelin's StandardMerkleTree over these leaves. */
export function payoutRoot(leaves: readonly Uint8Array[]): string {
  // Heap order: the sorted leaves fill the array from its end, node i joins 2i + 1 and 2i + 2.
  const nodes = [...leaves].sort(compareBytes).reverse()
  const heap: Uint8Array[] = [...new Array<Uint8Array>(nodes.length - 1), ...nodes]
  for (let at = nodes.length - 2; at >= 0; at--) heap[at] = pairHash(heap[2 * at + 1]!, heap[2 * at + 2]!)
  return `0x${toHex(heap[0]!)}`
}
