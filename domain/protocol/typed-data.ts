/**
 * Every signature of the product is EIP-712 over one domain, which binds it to the deployment (salt), the
 * chain and the token; the type binds it to its purpose and the fields to their object, so that no signature
 * can be replayed elsewhere. Instants are epoch milliseconds (uint64); `nonce` counts per signer and object.
 */
import { keccak256 } from 'ethers/crypto'
import { TypedDataEncoder } from 'ethers/hash'
import { recoverAddress } from 'ethers/transaction'
import { OpenLedgerError } from '../errors.ts'
import type { JsonValue } from './canonical-json.ts'
import {
  type Address,
  type Bytes32,
  concatBytes,
  type Hex,
  hexToBytes,
  parseAddress,
  parseBytes32,
  parseHex,
} from './hex.ts'

/** What a signature is bound to; from the genesis document. */
export interface Genesis {
  readonly chainId: number
  readonly gOpen: Address
  readonly deploymentId: Bytes32
}

type FieldType = 'address' | 'bytes32' | 'string' | 'uint8' | 'uint64' | 'uint256'
interface Field {
  readonly name: string
  readonly type: FieldType
}

/**
 * The message types. Field order is part of the format: the type hash covers it.
 * `docs/protocol.md` says what each field means.
 */
export const TYPED_DATA = {
  Proposal: [
    { name: 'proposalId', type: 'bytes32' },
    { name: 'proposer', type: 'address' },
    { name: 'nonce', type: 'uint64' },
  ],
  Review: [
    { name: 'proposalId', type: 'bytes32' },
    { name: 'governor', type: 'address' },
    { name: 'decision', type: 'uint8' },
    { name: 'reasonHash', type: 'bytes32' },
    { name: 'nonce', type: 'uint64' },
  ],
  Petition: [
    { name: 'proposalId', type: 'bytes32' },
    { name: 'holder', type: 'address' },
    { name: 'nonce', type: 'uint64' },
  ],
  Veto: [
    { name: 'proposalId', type: 'bytes32' },
    { name: 'governor', type: 'address' },
    { name: 'reasonHash', type: 'bytes32' },
    { name: 'nonce', type: 'uint64' },
  ],
  Ballot: [
    { name: 'proposalId', type: 'bytes32' },
    { name: 'voter', type: 'address' },
    { name: 'support', type: 'uint8' },
    { name: 'nonce', type: 'uint64' },
    { name: 'reasonHash', type: 'bytes32' },
  ],
  Receipt: [
    { name: 'objectDigest', type: 'bytes32' },
    { name: 'receivedAt', type: 'uint64' },
    { name: 'includeBy', type: 'uint64' },
  ],
  Warrant: [
    { name: 'warrantId', type: 'bytes32' },
    { name: 'proposalId', type: 'bytes32' },
    { name: 'action', type: 'string' },
    { name: 'inputHash', type: 'bytes32' },
    { name: 'budgetUsdMicro', type: 'uint256' },
    { name: 'expiresAt', type: 'uint64' },
    { name: 'ballotFileDigest', type: 'bytes32' },
  ],
  Rerun: [
    { name: 'warrantId', type: 'bytes32' },
    { name: 'governor', type: 'address' },
    { name: 'attempt', type: 'uint64' },
    { name: 'reasonHash', type: 'bytes32' },
    { name: 'nonce', type: 'uint64' },
  ],
  Submission: [
    { name: 'datanetId', type: 'bytes32' },
    { name: 'contributor', type: 'address' },
    { name: 'objectDigest', type: 'bytes32' },
    { name: 'sizeBytes', type: 'uint64' },
    { name: 'recordCount', type: 'uint64' },
    { name: 'recordsRoot', type: 'bytes32' },
    { name: 'license', type: 'string' },
    { name: 'consent', type: 'bytes32' },
    { name: 'nonce', type: 'uint64' },
    { name: 'deadline', type: 'uint64' },
  ],
  Revocation: [
    { name: 'submissionId', type: 'bytes32' },
    { name: 'contributor', type: 'address' },
    { name: 'reasonHash', type: 'bytes32' },
    { name: 'nonce', type: 'uint64' },
  ],
  Vouch: [
    { name: 'governor', type: 'address' },
    { name: 'account', type: 'address' },
    { name: 'level', type: 'uint8' },
    { name: 'nonce', type: 'uint64' },
  ],
  KeyRotation: [
    { name: 'account', type: 'address' },
    { name: 'newKey', type: 'address' },
    { name: 'effectiveAt', type: 'uint64' },
    { name: 'nonce', type: 'uint64' },
  ],
  Judgment: [
    { name: 'roundId', type: 'bytes32' },
    { name: 'taskId', type: 'bytes32' },
    { name: 'validator', type: 'address' },
    { name: 'verdictHash', type: 'bytes32' },
    { name: 'nonce', type: 'uint64' },
  ],
  Appeal: [
    { name: 'decisionDigest', type: 'bytes32' },
    { name: 'account', type: 'address' },
    { name: 'reasonHash', type: 'bytes32' },
    { name: 'nonce', type: 'uint64' },
  ],
  ApiKey: [
    { name: 'account', type: 'address' },
    { name: 'keyHash', type: 'bytes32' },
    { name: 'depositTx', type: 'bytes32' },
    { name: 'nonce', type: 'uint64' },
  ],
} as const satisfies Record<string, readonly Field[]>

export type TypeName = keyof typeof TYPED_DATA
export const TYPE_NAMES = Object.keys(TYPED_DATA) as TypeName[]

type ValueOf<T extends FieldType> = T extends 'address'
  ? Address
  : T extends 'bytes32'
    ? Bytes32
    : T extends 'uint256'
      ? bigint
      : T extends 'uint8' | 'uint64'
        ? number
        : string

/** A message as the product holds it: small integers and instants as numbers, amounts as bigint. */
export type Message<N extends TypeName> = {
  readonly [F in (typeof TYPED_DATA)[N][number] as F['name']]: ValueOf<F['type']>
}

/** OpenZeppelin Governor's numbers. */
export const SUPPORT = { against: 0, for: 1, abstain: 2 } as const
export const REVIEW_DECISION = { reject: 0, admit: 1 } as const

/** EIP-712: the domain's own type, in the standard's field order. Some wallets refuse a payload without it. */
const DOMAIN_TYPE = [
  { name: 'name', type: 'string' },
  { name: 'version', type: 'string' },
  { name: 'chainId', type: 'uint256' },
  { name: 'verifyingContract', type: 'address' },
  { name: 'salt', type: 'bytes32' },
] as const

export interface TypedDataDomain {
  readonly name: 'OpenLedger'
  readonly version: '1'
  readonly chainId: number
  readonly verifyingContract: Address
  readonly salt: Bytes32
}

/** The one EIP-712 domain of a deployment. */
export function typedDataDomain(genesis: Genesis): TypedDataDomain {
  return {
    name: 'OpenLedger',
    version: '1',
    chainId: genesis.chainId,
    verifyingContract: genesis.gOpen,
    salt: genesis.deploymentId,
  }
}

function fieldsOf(type: TypeName): readonly Field[] {
  return TYPED_DATA[type]
}

const UINT256_MAX = 2n ** 256n - 1n

function malformedField(type: TypeName, field: Field, seen: unknown): OpenLedgerError {
  return new OpenLedgerError('malformed', `${type}.${field.name} is not a valid ${field.type}`, {
    expected: field.type === 'uint256' ? 'a decimal string' : field.type,
    seen: typeof seen === 'string' ? seen.slice(0, 80) : typeof seen,
  })
}

function parseField(type: TypeName, field: Field, value: unknown): string | number | bigint {
  const refused = () => malformedField(type, field, value)
  switch (field.type) {
    case 'address':
      return parseAddress(value)
    case 'bytes32':
      return parseBytes32(value)
    case 'string':
      if (typeof value !== 'string' || !value.isWellFormed()) throw refused()
      return value
    case 'uint8':
      if (typeof value !== 'number' || !Number.isInteger(value) || value < 0 || value > 255) throw refused()
      return value
    case 'uint64':
      // 2^53 - 1 is the bound here: a JSON reader elsewhere would sign or hash another number above it.
      if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < 0) throw refused()
      return value
    case 'uint256': {
      if (typeof value !== 'string' || !/^(?:0|[1-9][0-9]{0,77})$/.test(value)) throw refused()
      const amount = BigInt(value)
      if (amount > UINT256_MAX) throw refused()
      return amount
    }
  }
}

/**
 * A message from untrusted JSON: exactly the fields of its type, integers up to 64 bits as JSON numbers,
 * uint256 as decimal strings. @throws OpenLedgerError malformed
 */
export function parseMessage<N extends TypeName>(type: N, json: unknown): Message<N> {
  const fields = fieldsOf(type)
  if (typeof json !== 'object' || json === null || Array.isArray(json))
    throw new OpenLedgerError('malformed', `${type} is not an object`, { expected: 'a JSON object' })
  const given = json as Record<string, unknown>
  const unknown = Object.keys(given).find(key => !fields.some(field => field.name === key))
  if (unknown !== undefined)
    throw new OpenLedgerError('malformed', `${type} has an unknown field`, {
      expected: fields.map(field => field.name).join(', '),
      seen: unknown.slice(0, 80),
    })
  const entries = fields.map(field => [field.name, parseField(type, field, given[field.name])])
  return Object.fromEntries(entries) as Message<N>
}

/** The message as JSON: what travels, what wallets sign and what logs and files hold. */
export function messageToJson<N extends TypeName>(
  type: N,
  message: Message<N>,
): { readonly [key: string]: JsonValue } {
  const values = message as Readonly<Record<string, string | number | bigint>>
  return Object.fromEntries(
    fieldsOf(type).map(field => {
      const value = values[field.name]
      const json = typeof value === 'bigint' ? value.toString() : value
      parseField(type, field, json)
      return [field.name, json as JsonValue]
    }),
  )
}

/** What `eth_signTypedData_v4` takes; `types.EIP712Domain` is always there. */
export interface TypedDataPayload {
  readonly domain: TypedDataDomain
  readonly types: Readonly<Record<string, readonly { readonly name: string; readonly type: string }[]>>
  readonly primaryType: TypeName
  readonly message: { readonly [key: string]: JsonValue }
}

/** The payload to show in a wallet for this message. @throws OpenLedgerError malformed */
export function payloadFor<N extends TypeName>(
  genesis: Genesis,
  type: N,
  message: Message<N>,
): TypedDataPayload {
  return {
    domain: typedDataDomain(genesis),
    types: { EIP712Domain: DOMAIN_TYPE, [type]: TYPED_DATA[type] },
    primaryType: type,
    message: messageToJson(type, message),
  }
}

// Parsing the types costs as much as hashing a message; there are fifteen, so all are kept.
const encoders = new Map<TypeName, TypedDataEncoder>()
function encoderOf(type: TypeName): TypedDataEncoder {
  const known = encoders.get(type)
  if (known !== undefined) return known
  const made = TypedDataEncoder.from({ [type]: fieldsOf(type).map(field => ({ ...field })) })
  encoders.set(type, made)
  return made
}

// One deployment has one genesis object per process; it is looked up by identity.
const separators = new WeakMap<Genesis, Uint8Array>()
function domainSeparator(genesis: Genesis): Uint8Array {
  const known = separators.get(genesis)
  if (known !== undefined) return known
  const made = hexToBytes(TypedDataEncoder.hashDomain({ ...typedDataDomain(genesis) }))
  separators.set(genesis, made)
  return made
}

/** EIP-712: keccak256(0x1901 || domainSeparator || hashStruct(message)). */
export function typedDataDigest(separator: Uint8Array, structHash: Uint8Array): Bytes32 {
  return keccak256(concatBytes(Uint8Array.of(0x19, 0x01), separator, structHash)) as Bytes32
}

/** The digest that is signed for this message. @throws OpenLedgerError malformed */
export function hashTypedData<N extends TypeName>(genesis: Genesis, type: N, message: Message<N>): Bytes32 {
  const json = messageToJson(type, message)
  return typedDataDigest(domainSeparator(genesis), hexToBytes(encoderOf(type).hash(json)))
}

/** Order of secp256k1's group (SEC 2, section 2.4.1). */
const CURVE_ORDER = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141n
const HALF_ORDER = CURVE_ORDER / 2n
/** EIP-2098: the parity sits in the highest bit of s. */
const COMPACT_PARITY_BIT = 1n << 255n

function badSignature(seen: string): OpenLedgerError {
  return new OpenLedgerError('bad-signature', 'not an ECDSA signature on secp256k1', {
    expected: '65 bytes r, s, v or 64 bytes by EIP-2098',
    seen,
  })
}

/**
 * One spelling per signature: 65 bytes r || s || v with low s (EIP-2) and v 27 or 28. Takes v 0/1, the
 * compact form of EIP-2098, and high s (the mirrored s with the other parity is the same signature).
 * @throws OpenLedgerError bad-signature
 */
export function normalizeSignature(signature: string): Hex {
  if (typeof signature !== 'string' || !/^0x(?:[0-9a-f]{128}|[0-9a-f]{130})$/i.test(signature))
    throw badSignature(`${typeof signature === 'string' ? signature.length : typeof signature} characters`)
  const r = BigInt(`0x${signature.slice(2, 66)}`)
  let s = BigInt(`0x${signature.slice(66, 130)}`)
  let parity: number
  if (signature.length === 130) {
    parity = s >= COMPACT_PARITY_BIT ? 1 : 0
    s &= COMPACT_PARITY_BIT - 1n
  } else {
    const v = Number.parseInt(signature.slice(130), 16)
    if (v !== 0 && v !== 1 && v !== 27 && v !== 28) throw badSignature(`v = ${v}`)
    parity = v % 27
  }
  if (r === 0n || r >= CURVE_ORDER || s === 0n || s >= CURVE_ORDER) throw badSignature('r or s out of range')
  if (s > HALF_ORDER) {
    s = CURVE_ORDER - s
    parity = 1 - parity
  }
  const digits = (value: bigint) => value.toString(16).padStart(64, '0')
  return parseHex(`0x${digits(r)}${digits(s)}${parity === 0 ? '1b' : '1c'}`)
}

/**
 * Whose key signed this message. It says nothing about whether that account may: compare it with the
 * message's own signer. @throws OpenLedgerError bad-signature, malformed
 */
export function recoverSigner<N extends TypeName>(
  genesis: Genesis,
  type: N,
  message: Message<N>,
  signature: string,
): Address {
  const digest = hashTypedData(genesis, type, message)
  const normal = normalizeSignature(signature)
  try {
    return recoverAddress(digest, normal).toLowerCase() as Address
  } catch (cause) {
    // r is no x coordinate of a point: well formed, but nobody's signature.
    throw new OpenLedgerError('bad-signature', 'the signature belongs to no key', { cause })
  }
}

/** @throws OpenLedgerError wrong-signer unless `expected` signed the message (also bad-signature, malformed) */
export function requireSigner<N extends TypeName>(
  genesis: Genesis,
  type: N,
  message: Message<N>,
  signature: string,
  expected: Address,
): void {
  const signer = recoverSigner(genesis, type, message, signature)
  if (signer !== expected)
    throw new OpenLedgerError('wrong-signer', `the ${type} was signed by another key`, {
      expected,
      seen: signer,
    })
}

/** The part of a wallet that is needed to sign; ethers' signers have it. */
export interface TypedDataWallet {
  signTypedData(
    domain: { name: string; version: string; chainId: number; verifyingContract: string; salt: string },
    types: Record<string, { name: string; type: string }[]>,
    value: Record<string, unknown>,
  ): Promise<string>
}

/** Signs a message with a wallet; the signature comes back in its one spelling. */
export async function signTypedData<N extends TypeName>(
  wallet: TypedDataWallet,
  genesis: Genesis,
  type: N,
  message: Message<N>,
): Promise<Hex> {
  const types = { [type]: fieldsOf(type).map(field => ({ ...field })) }
  const signature = await wallet.signTypedData(
    { ...typedDataDomain(genesis) },
    types,
    messageToJson(type, message),
  )
  return normalizeSignature(signature)
}
