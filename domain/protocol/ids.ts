/** How things are named: digests of bytes, ids of documents and names of AWS resources. */
import { createHash } from 'node:crypto'
import { keccak256 } from 'ethers/crypto'
import { OpenLedgerError } from '../errors.ts'
import { canonicalBytes } from './canonical-json.ts'
import { type Bytes32, bytesToDigits, type Sha256Hex } from './hex.ts'

function toBytes(data: Uint8Array | string): Uint8Array {
  return typeof data === 'string' ? new TextEncoder().encode(data) : data
}

/** SHA-256 (FIPS 180-4) as 32 bytes. */
export function sha256(...parts: readonly Uint8Array[]): Uint8Array {
  const hash = createHash('sha256')
  for (const part of parts) hash.update(part)
  return new Uint8Array(hash.digest())
}

/** SHA-256 of bytes, or of a string's UTF-8, as 64 lower-case hex digits without 0x. */
export function sha256Hex(data: Uint8Array | string): Sha256Hex {
  return bytesToDigits(sha256(toBytes(data))) as Sha256Hex
}

/** Keccak-256 (the Ethereum variant) of bytes, or of a string's UTF-8. */
export function keccak256Hex(data: Uint8Array | string): Bytes32 {
  return keccak256(toBytes(data)) as Bytes32
}

/** keccak256 of the canonical JSON: the id of a document that a contract or a typed message may name. */
export function documentId(document: unknown): Bytes32 {
  return keccak256Hex(canonicalBytes(document))
}

/** SHA-256 of the canonical JSON: the digest of a document that stays outside of contracts. */
export function documentDigest(document: unknown): Sha256Hex {
  return sha256Hex(canonicalBytes(document))
}

/** SageMaker, EventBridge Scheduler and Step Functions share 63 as the shortest limit on names. */
const MAX_RESOURCE_NAME_LENGTH = 63
/** 80 bits of the id: no two proposals of a deployment meet by chance, and nobody can aim for it cheaply. */
const ID_DIGITS_IN_NAME = 20

/**
 * `<stage>-<kind>-<20 hex of the id>-<attempt>`, at most 63 characters of [a-z0-9-], so that every AWS
 * service takes it. Attempts count from 1.
 * @throws OpenLedgerError malformed
 */
export function resourceName(
  stage: string,
  kind: string,
  id: Bytes32 | Sha256Hex | string,
  attempt: number,
): string {
  const digits = id.startsWith('0x') ? id.slice(2) : id
  const words = /^[a-z][a-z0-9]*(?:-[a-z0-9]+)*$/
  const fits =
    words.test(stage) &&
    words.test(kind) &&
    new RegExp(`^[0-9a-f]{${ID_DIGITS_IN_NAME},}$`).test(digits) &&
    Number.isSafeInteger(attempt) &&
    attempt >= 1
  const name = `${stage}-${kind}-${digits.slice(0, ID_DIGITS_IN_NAME)}-${attempt}`
  if (!fits || name.length > MAX_RESOURCE_NAME_LENGTH)
    throw new OpenLedgerError('malformed', 'not a resource name', {
      expected: `<stage>-<kind>-<${ID_DIGITS_IN_NAME} hex>-<attempt>, at most ${MAX_RESOURCE_NAME_LENGTH} characters`,
      seen: name.slice(0, 2 * MAX_RESOURCE_NAME_LENGTH),
    })
  return name
}
