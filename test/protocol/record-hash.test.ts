import { createHash, createHmac } from 'node:crypto'
import fc from 'fast-check'
import { bytesToDigits, hexToBytes, type Sha256Hex } from '../../domain/protocol/hex.ts'
import { sha256Hex } from '../../domain/protocol/ids.ts'
import { inclusionProof, leafHash, root, verifyInclusion } from '../../domain/protocol/merkle-log.ts'
import { datasetPart, recordHash, recordSalt, recordsRoot } from '../../domain/protocol/record-hash.ts'
import { proveRuns } from '../support/prove-runs.ts'

const seed = hexToBytes('07'.repeat(32))
const record = { output: 's3:GetObject', instruction: 'read an object', group: 's3' }

describe('record hashes', () => {
  it('are SHA-256(0x00, salt, canonical record) with salt = HMAC-SHA256(seed, uint64 index)', () => {
    const salt = createHmac('sha256', seed).update(Buffer.from('0000000000000102', 'hex')).digest()
    expect(Buffer.from(recordSalt(seed, 258))).toEqual(salt)
    const canonical = '{"group":"s3","instruction":"read an object","output":"s3:GetObject"}'
    const expected = createHash('sha256').update(Buffer.of(0)).update(salt).update(canonical).digest('hex')
    expect(recordHash(recordSalt(seed, 258), record)).toBe(expected)
  })

  it('are RFC 6962 leaf hashes of salt and record, so any Merkle verifier can use them', () => {
    const salt = recordSalt(seed, 0)
    const leaf = Buffer.concat([salt, Buffer.from('{"a":1}')])
    expect(recordHash(salt, { a: 1 })).toBe(bytesToDigits(leafHash(leaf)))
  })

  it('do not tell two places of one record, or two submissions of it, to be the same', () => {
    const other = hexToBytes('08'.repeat(32))
    const hashes = [recordSalt(seed, 0), recordSalt(seed, 1), recordSalt(other, 0)].map(salt =>
      recordHash(salt, record),
    )
    expect(new Set(hashes).size).toBe(3)
  })

  it('need a seed of 32 bytes and a real index', () => {
    for (const [bytes, index] of [
      [seed.slice(1), 0],
      [seed, -1],
      [seed, 1.5],
    ] as const)
      expect(() => recordSalt(bytes, index)).toThrow(expect.objectContaining({ code: 'malformed' }))
  })
})

describe('roots over records', () => {
  const aHash = fc.nat(100_000).map(n => sha256Hex(String(n)))

  it('keep the order of the upload for a submission', () => {
    const hashes = [sha256Hex('b'), sha256Hex('a')]
    expect(recordsRoot(hashes)).toBe(bytesToDigits(root(hashes.map(hexToBytes))))
    expect(recordsRoot(hashes)).not.toBe(recordsRoot([...hashes].reverse()))
  })

  it('are one for a set of records, in whatever order they come, and prove each of them', () => {
    const sets = fc.uniqueArray(aHash, { minLength: 1, maxLength: 60 })
    fc.assert(
      fc.property(sets, fc.nat(), (hashes, pick) => {
        const part = datasetPart(hashes)
        expect(datasetPart([...hashes].reverse()).root).toBe(part.root)
        expect(part.hashes).toEqual([...hashes].sort())
        const index = pick % hashes.length
        const proof = inclusionProof(index, hashes.length, part.node)
        const leaf = hexToBytes(part.hashes[index]!)
        expect(verifyInclusion(leaf, index, hashes.length, proof, hexToBytes(part.root))).toBe(true)
      }),
      proveRuns(),
    )
  })

  it('hold no record twice', () => {
    const twice: Sha256Hex[] = [sha256Hex('a'), sha256Hex('b'), sha256Hex('a')]
    expect(() => datasetPart(twice)).toThrow(expect.objectContaining({ code: 'malformed' }))
  })
})
