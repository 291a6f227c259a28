import { StandardMerkleTree } from '@openzeppelin/merkle-tree'
import fc from 'fast-check'
import { type Address, parseAddress } from '../../domain/protocol/hex.ts'
import {
  PAYOUT_LEAF_ENCODING,
  type PayoutLeaf,
  payoutLeafHash,
  payoutTree,
  verifyPayoutProof,
} from '../../domain/protocol/payout-tree.ts'
import { proveRuns } from '../support/prove-runs.ts'

const anAddress = fc
  .uint8Array({ minLength: 20, maxLength: 20 })
  .map(bytes => parseAddress(`0x${Buffer.from(bytes).toString('hex')}`))
const someLeaves = fc.uniqueArray(
  fc.record({ account: anAddress, cumulativeAmount: fc.bigInt({ min: 0n, max: 2n ** 256n - 1n }) }),
  { selector: leaf => leaf.account, minLength: 1, maxLength: 40 },
)
const openZeppelinTree = (leaves: readonly PayoutLeaf[]) =>
  StandardMerkleTree.of(
    leaves.map(leaf => [leaf.account as string, leaf.cumulativeAmount.toString()]),
    [...PAYOUT_LEAF_ENCODING],
  )

describe('the payout tree', () => {
  it("has the root of OpenZeppelin's own example", () => {
    const leaves = [
      { account: parseAddress(`0x${'11'.repeat(20)}`), cumulativeAmount: 5000000000000000000n },
      { account: parseAddress(`0x${'22'.repeat(20)}`), cumulativeAmount: 2500000000000000000n },
    ]
    expect(payoutTree(leaves).root).toBe('0xd4dee0beab2d53f2cc83e567171bd2820e49898130a22622b10ead383e90bd77')
  })

  it('has the roots, leaves and proofs of @openzeppelin/merkle-tree for any payouts', () => {
    fc.assert(
      fc.property(someLeaves, leaves => {
        const tree = payoutTree(leaves)
        const expected = openZeppelinTree(leaves)
        expect(tree.root).toBe(expected.root)
        for (const leaf of leaves) {
          const value = [leaf.account as string, leaf.cumulativeAmount.toString()]
          expect(payoutLeafHash(leaf)).toBe(expected.leafHash(value))
          expect(tree.proof(leaf.account)).toEqual(expected.getProof(value))
          expect(verifyPayoutProof(tree.root, leaf, tree.proof(leaf.account))).toBe(true)
        }
      }),
      proveRuns(3),
    )
  })

  it('does not depend on the order of the leaves', () => {
    fc.assert(
      fc.property(someLeaves, leaves => {
        expect(payoutTree([...leaves].reverse()).root).toBe(payoutTree(leaves).root)
      }),
      proveRuns(3),
    )
  })

  it('proves no other amount and no other account', () => {
    const leaves = [1, 2, 3, 4, 5].map(n => ({
      account: parseAddress(`0x${`0${n}`.repeat(20)}`),
      cumulativeAmount: BigInt(n),
    }))
    const tree = payoutTree(leaves)
    const proof = tree.proof(leaves[2]!.account)
    expect(verifyPayoutProof(tree.root, { ...leaves[2]!, cumulativeAmount: 4n }, proof)).toBe(false)
    expect(verifyPayoutProof(tree.root, { ...leaves[2]!, account: leaves[3]!.account }, proof)).toBe(false)
    expect(verifyPayoutProof(tree.root, leaves[2]!, proof.slice(1))).toBe(false)
  })

  it('refuses an empty period, an account with two leaves, and an amount beyond uint256', () => {
    const account = `0x${'11'.repeat(20)}` as Address
    const malformed = expect.objectContaining({ code: 'malformed' })
    expect(() => payoutTree([])).toThrow(malformed)
    expect(() =>
      payoutTree([
        { account, cumulativeAmount: 1n },
        { account, cumulativeAmount: 2n },
      ]),
    ).toThrow(malformed)
    expect(() => payoutTree([{ account, cumulativeAmount: 2n ** 256n }])).toThrow(malformed)
    expect(() => payoutTree([{ account, cumulativeAmount: -1n }])).toThrow(malformed)
    expect(() =>
      payoutTree([{ account, cumulativeAmount: 1n }]).proof(`0x${'22'.repeat(20)}` as Address),
    ).toThrow(expect.objectContaining({ code: 'not-found' }))
  })
})
