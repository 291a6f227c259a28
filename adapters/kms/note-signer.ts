import { GetPublicKeyCommand, type KMSClient, SignCommand } from '@aws-sdk/client-kms'
import type { MessageSigner } from '../../domain/data/ports.ts'
import { OpenLedgerError } from '../../domain/errors.ts'
import { ed25519OfPublicKey } from '../../domain/protocol/kms-keys.ts'

/** A KMS key of spec ECC_NIST_EDWARDS25519 as a signer of messages (RFC 8032, not pre-hashed). */
export function kmsNoteSigner(kms: KMSClient, keyId: string): MessageSigner {
  let known: Promise<Uint8Array> | undefined
  const read = async () => {
    const { PublicKey } = await kms.send(new GetPublicKeyCommand({ KeyId: keyId }))
    if (PublicKey === undefined) throw new OpenLedgerError('unavailable', 'KMS answered without a public key')
    return ed25519OfPublicKey(PublicKey)
  }
  return {
    publicKey() {
      known ??= read().catch(error => {
        known = undefined
        throw error
      })
      return known
    },
    async sign(message) {
      const { Signature } = await kms.send(
        new SignCommand({
          KeyId: keyId,
          Message: message,
          MessageType: 'RAW',
          SigningAlgorithm: 'ED25519_SHA_512',
        }),
      )
      if (Signature === undefined)
        throw new OpenLedgerError('unavailable', 'KMS answered without a signature')
      return new Uint8Array(Signature)
    },
  }
}
