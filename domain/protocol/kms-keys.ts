/** Keys and signatures as AWS KMS gives them (DER), in the spellings of the protocol. */
import { createPublicKey } from 'node:crypto'
import { keccak256 } from 'ethers/crypto'
import { recoverAddress } from 'ethers/transaction'
import { OpenLedgerError } from '../errors.ts'
import { type Address, type Bytes32, bytesToDigits, concatBytes, type Hex, parseAddress } from './hex.ts'
import { normalizeSignature } from './typed-data.ts'

function malformedKey(expected: string): OpenLedgerError {
  return new OpenLedgerError('malformed', `not the public key of ${expected}`, { expected })
}

function jwkOf(spki: Uint8Array): { kty?: string; crv?: string; x?: string; y?: string } {
  try {
    const key = createPublicKey({ key: Buffer.from(spki), format: 'der', type: 'spki' })
    return key.export({ format: 'jwk' }) as { kty?: string; crv?: string; x?: string; y?: string }
  } catch (cause) {
    throw new OpenLedgerError('malformed', 'not a SubjectPublicKeyInfo', { cause })
  }
}

const fromBase64Url = (text: string) => new Uint8Array(Buffer.from(text, 'base64url'))

/** The Ethereum address of a KMS key of spec ECC_SECG_P256K1. @throws OpenLedgerError malformed */
export function addressOfPublicKey(spki: Uint8Array): Address {
  const { crv, x, y } = jwkOf(spki)
  if (crv !== 'secp256k1' || x === undefined || y === undefined) throw malformedKey('a secp256k1 key')
  return parseAddress(`0x${keccak256(concatBytes(fromBase64Url(x), fromBase64Url(y))).slice(-40)}`)
}

/** The 32 bytes of a KMS key of spec ECC_NIST_EDWARDS25519. @throws OpenLedgerError malformed */
export function ed25519OfPublicKey(spki: Uint8Array): Uint8Array {
  const { crv, x } = jwkOf(spki)
  if (crv !== 'Ed25519' || x === undefined) throw malformedKey('an Ed25519 key')
  return fromBase64Url(x)
}

/** One positive DER INTEGER of at most 32 bytes, left-padded to 64 hex digits, and where it ends. */
function readInteger(der: Uint8Array, at: number): { digits: string; end: number } | undefined {
  const length = der[at + 1]
  if (der[at] !== 0x02 || length === undefined || length === 0 || length > 33) return undefined
  const bytes = der.slice(at + 2, at + 2 + length)
  const value = bytes[0] === 0 ? bytes.slice(1) : bytes
  if (bytes.length !== length || value.length > 32) return undefined
  return { digits: bytesToDigits(value).padStart(64, '0'), end: at + 2 + length }
}

/**
 * KMS's ECDSA signature (RFC 3279 Ecdsa-Sig-Value) over `digest` as 65 bytes with low s. KMS does not say
 * the parity, so both are tried against the known address of the key.
 * @throws OpenLedgerError bad-signature
 */
export function signatureFromKms(der: Uint8Array, digest: Bytes32, signer: Address): Hex {
  const r = der[0] === 0x30 && der[1] === der.length - 2 ? readInteger(der, 2) : undefined
  const s = r === undefined ? undefined : readInteger(der, r.end)
  if (r === undefined || s === undefined || s.end !== der.length)
    throw new OpenLedgerError('bad-signature', 'not an ECDSA signature in DER')
  for (const v of ['1b', '1c']) {
    const signature = normalizeSignature(`0x${r.digits}${s.digits}${v}`)
    try {
      if (recoverAddress(digest, signature).toLowerCase() === signer) return signature
    } catch {
      // This parity belongs to no point; the other one may.
    }
  }
  throw new OpenLedgerError('bad-signature', 'the signature is not by this key', { expected: signer })
}
