import { generateKeyPairSync } from 'node:crypto'
import { computeAddress, SigningKey } from 'ethers'
import fc from 'fast-check'
import { hexToBytes, parseAddress } from '../../domain/protocol/hex.ts'
import { keccak256Hex } from '../../domain/protocol/ids.ts'
import { addressOfPublicKey, signatureFromKms } from '../../domain/protocol/kms-keys.ts'
import { proveRuns } from '../support/prove-runs.ts'

const ORDER = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141n
/** SubjectPublicKeyInfo of an uncompressed secp256k1 point, as KMS GetPublicKey answers. */
const SPKI_PREFIX = '3056301006072a8648ce3d020106052b8104000a034200'

function derInteger(value: bigint): string {
  let digits = value.toString(16)
  if (digits.length % 2 === 1) digits = `0${digits}`
  if (Number.parseInt(digits.slice(0, 2), 16) >= 0x80) digits = `00${digits}`
  return `02${(digits.length / 2).toString(16).padStart(2, '0')}${digits}`
}
function der(r: bigint, s: bigint): Uint8Array {
  const content = derInteger(r) + derInteger(s)
  return hexToBytes(`30${(content.length / 2).toString(16).padStart(2, '0')}${content}`)
}

const key = new SigningKey(keccak256Hex('kms'))
const signer = parseAddress(computeAddress(key.publicKey))

describe('what KMS gives', () => {
  it('has the address of the public key', () => {
    expect(addressOfPublicKey(hexToBytes(SPKI_PREFIX + key.publicKey.slice(2)))).toBe(signer)
    const wrongCurve = generateKeyPairSync('ec', { namedCurve: 'prime256v1' }).publicKey
    expect(() =>
      addressOfPublicKey(new Uint8Array(wrongCurve.export({ format: 'der', type: 'spki' }))),
    ).toThrow(expect.objectContaining({ code: 'malformed' }))
  })

  it('brings DER signatures, of low and high s, to the one spelling', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 1, maxLength: 8 }), fc.boolean(), (seed, isHigh) => {
        const digest = keccak256Hex(seed)
        const made = key.sign(digest)
        const s = isHigh ? ORDER - BigInt(made.s) : BigInt(made.s)
        expect(signatureFromKms(der(BigInt(made.r), s), digest, signer)).toBe(made.serialized)
      }),
      proveRuns(3),
    )
  })

  it('refuses a signature by another key, over another digest, or cut short', () => {
    const made = key.sign(keccak256Hex('a'))
    const bytes = der(BigInt(made.r), BigInt(made.s))
    const refused = expect.objectContaining({ code: 'bad-signature' })
    expect(() => signatureFromKms(bytes, keccak256Hex('b'), signer)).toThrow(refused)
    expect(() => signatureFromKms(bytes, keccak256Hex('a'), parseAddress(`0x${'11'.repeat(20)}`))).toThrow(
      refused,
    )
    expect(() => signatureFromKms(bytes.slice(0, -1), keccak256Hex('a'), signer)).toThrow(refused)
    expect(() => signatureFromKms(Uint8Array.of(), keccak256Hex('a'), signer)).toThrow(refused)
  })
})
