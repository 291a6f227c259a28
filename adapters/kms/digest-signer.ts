import { GetPublicKeyCommand, type KMSClient, SignCommand } from '@aws-sdk/client-kms'
import { computeAddress, recoverAddress, Signature } from 'ethers'
import { OpenLedgerError } from '../../domain/errors.ts'
import type { DigestSigner } from '../../domain/governance/ports.ts'
import { bytesToHex, hexToBytes, parseAddress } from '../../domain/protocol/hex.ts'
import { normalizeSignature } from '../../domain/protocol/typed-data.ts'

/** SEC 1 DER of an uncompressed secp256k1 key ends in the 65-byte point (RFC 5480). */
const POINT_BYTES = 65

/**
 * A KMS key of spec ECC_SECG_P256K1 as an Ethereum signer of 32-byte digests. KMS answers DER without the
 * recovery bit, so the bit is found by recovering with both.
 */
export function kmsDigestSigner(kms: KMSClient, keyId: string): DigestSigner {
  let known: Promise<string> | undefined
  const address = () => {
    known ??= publicAddress(kms, keyId).catch(error => {
      known = undefined
      throw error
    })
    return known.then(parseAddress)
  }
  return {
    address,
    async sign(digest) {
      const { Signature: der } = await kms.send(
        new SignCommand({
          KeyId: keyId,
          Message: hexToBytes(digest),
          MessageType: 'DIGEST',
          SigningAlgorithm: 'ECDSA_SHA_256',
        }),
      )
      if (der === undefined) throw new OpenLedgerError('unavailable', 'KMS answered without a signature')
      const { r, s } = integersOfDer(der)
      const own = await address()
      for (const v of [27, 28] as const) {
        const normal = normalizeSignature(`0x${r}${s}${v.toString(16)}`)
        if (parseAddress(recoverAddress(digest, Signature.from(normal))) === own) return normal
      }
      throw new OpenLedgerError('internal', 'The signature of KMS is not by its own public key')
    },
  }
}

async function publicAddress(kms: KMSClient, keyId: string): Promise<string> {
  const { PublicKey } = await kms.send(new GetPublicKeyCommand({ KeyId: keyId }))
  if (PublicKey === undefined) throw new OpenLedgerError('unavailable', 'KMS answered without a public key')
  return computeAddress(bytesToHex(PublicKey.slice(-POINT_BYTES)))
}

/** ECDSA-Sig-Value ::= SEQUENCE { r INTEGER, s INTEGER } (RFC 3279, 2.2.3), as two 32-byte hex strings. */
function integersOfDer(der: Uint8Array): { r: string; s: string } {
  const bytes = Buffer.from(der)
  const integerAt = (offset: number) => {
    const length = bytes[offset + 1] ?? 0
    const digits = bytes.subarray(offset + 2, offset + 2 + length).toString('hex')
    return { digits: digits.replace(/^(00)+/, '').padStart(64, '0'), end: offset + 2 + length }
  }
  const r = integerAt(2)
  const s = integerAt(r.end)
  return { r: r.digits, s: s.digits }
}
