/**
 * The tree of a payout period: OpenZeppelin's StandardMerkleTree over `(address account, uint256
 * cumulativeAmount)`, which RewardClaims verifies on chain. Amounts are base units of the stage's ERC-20.
 */
import { keccak256 } from 'ethers/crypto'
import { OpenLedgerError } from '../errors.ts'
import { type Address, type Bytes32, bytesToHex, compareBytes, concatBytes, hexToBytes } from './hex.ts'

/** The type list of the tree, as @openzeppelin/merkle-tree writes it into its dumps. */
export const PAYOUT_LEAF_ENCODING = ['address', 'uint256'] as const

export interface PayoutLeaf {
  readonly account: Address
  /** All that the account was ever given, in base units; claims pay the difference to what was claimed. */
  readonly cumulativeAmount: bigint
}

export interface PayoutTree {
  readonly root: Bytes32
  /** @throws OpenLedgerError not-found for an account without a leaf */
  proof(account: Address): Bytes32[]
}

const keccak = (...parts: Uint8Array[]) => hexToBytes(keccak256(concatBytes(...parts)))

/** keccak256(keccak256(abi.encode(account, cumulativeAmount))); hashed twice, so no node reads as a leaf. */
export function payoutLeafHash(leaf: PayoutLeaf): Bytes32 {
  const { account, cumulativeAmount } = leaf
  if (cumulativeAmount < 0n || cumulativeAmount >= 2n ** 256n)
    throw new OpenLedgerError('malformed', 'not a token amount', { expected: 'uint256' })
  const words = account.slice(2).padStart(64, '0') + cumulativeAmount.toString(16).padStart(64, '0')
  return bytesToHex(keccak(keccak(hexToBytes(words)))) as Bytes32
}

/** Commutative, as OpenZeppelin's MerkleProof: the smaller hash comes first. */
function pairHash(left: Uint8Array, right: Uint8Array): Uint8Array {
  return compareBytes(left, right) < 0 ? keccak(left, right) : keccak(right, left)
}

/**
 * The tree over these leaves, in any order; the same set gives the same root.
 * @throws OpenLedgerError malformed for no leaves or an account with two
 */
export function payoutTree(leaves: readonly PayoutLeaf[]): PayoutTree {
  if (leaves.length === 0) throw new OpenLedgerError('malformed', 'a payout tree needs a leaf')
  if (new Set(leaves.map(leaf => leaf.account)).size !== leaves.length)
    throw new OpenLedgerError('malformed', 'an account has two leaves')
  const sorted = leaves
    .map(leaf => ({ account: leaf.account, hash: hexToBytes(payoutLeafHash(leaf)) }))
    .sort((left, right) => compareBytes(left.hash, right.hash))
  // A complete binary tree in an array, root first; sorted leaves fill it from the end.
  const nodes = new Array<Uint8Array>(2 * sorted.length - 1)
  const places = new Map<Address, number>()
  for (const [at, { account, hash }] of sorted.entries()) {
    nodes[nodes.length - 1 - at] = hash
    places.set(account, nodes.length - 1 - at)
  }
  for (let at = nodes.length - 1 - sorted.length; at >= 0; at--)
    nodes[at] = pairHash(nodes[2 * at + 1]!, nodes[2 * at + 2]!)
  return {
    root: bytesToHex(nodes[0]!) as Bytes32,
    proof(account) {
      let at = places.get(account)
      if (at === undefined)
        throw new OpenLedgerError('not-found', 'the account has no payout', { seen: account })
      const siblings: Bytes32[] = []
      for (; at > 0; at = Math.floor((at - 1) / 2))
        siblings.push(bytesToHex(nodes[at % 2 === 1 ? at + 1 : at - 1]!) as Bytes32)
      return siblings
    },
  }
}

/** True if the proof leads from the leaf to the root, as RewardClaims checks it. */
export function verifyPayoutProof(root: Bytes32, leaf: PayoutLeaf, proof: readonly Bytes32[]): boolean {
  let hash = hexToBytes(payoutLeafHash(leaf))
  for (const sibling of proof) hash = pairHash(hash, hexToBytes(sibling))
  return bytesToHex(hash) === root
}
