import { OpenLedgerError } from '../errors.ts'
import type { Address, Bytes32 } from '../protocol/hex.ts'
import { keccak256Hex } from '../protocol/ids.ts'

/**
 * An API key is `olk_` and 32 random bytes in base64url, made by the client. The service knows only the
 * keccak256 of its text, so whoever reads its tables cannot use anybody's key.
 */
export type ApiKey = {
  readonly keyHash: Bytes32
  readonly account: Address
  readonly depositTx: Bytes32
  readonly depositedWei: bigint
  readonly creditWei: bigint
  readonly reservedWei: bigint
  readonly spentWei: bigint
  readonly createdAt: number
  readonly usage: {
    readonly requests: number
    readonly promptTokens: number
    readonly completionTokens: number
  }
}

/** The prefix lets scanners of public code find a leaked key; 43 digits of base64url are 256 bits. */
const API_KEY = /^olk_[A-Za-z0-9_-]{43}$/
const ID_DIGITS = 20

/** What is stored of a key, and signed when it is bought. */
export function keyHashOf(apiKey: string): Bytes32 {
  return keccak256Hex(apiKey)
}

/** The key's public name: in usage records and for people. */
export function keyIdOf(keyHash: Bytes32): string {
  return `key_${keyHash.slice(2, 2 + ID_DIGITS)}`
}

/**
 * The hash of the key in an Authorization header.
 * @throws OpenLedgerError key-missing, key-invalid
 */
export function presentedKey(authorization: string | undefined): Bytes32 {
  const [, token] = /^Bearer +(\S+)$/i.exec(authorization ?? '') ?? []
  if (token === undefined) {
    throw new OpenLedgerError('key-missing', 'This route needs an API key', {
      expected: 'the header: authorization: Bearer olk_...',
      seen: authorization === undefined ? 'no authorization header' : 'another kind of authorization',
    })
  }
  if (!API_KEY.test(token)) throw unknownKey()
  return keyHashOf(token)
}

/** What a key that is not known is answered, whatever is wrong with it. */
export function unknownKey(): OpenLedgerError {
  return new OpenLedgerError('key-invalid', 'This API key is not known', {
    expected: 'a key that was bought by a deposit: POST /v1/keys',
  })
}
