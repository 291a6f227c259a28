/** EIP-712 and ECDSA recovery of docs/protocol.md sections 4 and 5, written on their own over @noble. */
import { secp256k1 } from '@noble/curves/secp256k1.js'
import { fromHex, keccak256, toHex, utf8ToBytes } from './bytes.ts'

/** The part of the genesis document that every signature is bound to. */
export interface Domain {
  readonly chainId: number
  readonly gOpen: string
  readonly deploymentId: string
}

/** The message types that the verifier meets, as EIP-712's encodeType spells them. */
export const TYPES = {
  Proposal: 'Proposal(bytes32 proposalId,address proposer,uint64 nonce)',
  Review: 'Review(bytes32 proposalId,address governor,uint8 decision,bytes32 reasonHash,uint64 nonce)',
  Ballot: 'Ballot(bytes32 proposalId,address voter,uint8 support,uint64 nonce,bytes32 reasonHash)',
  Warrant:
    'Warrant(bytes32 warrantId,bytes32 proposalId,string action,bytes32 inputHash,uint256 budgetUsdMicro,' +
    'uint64 expiresAt,bytes32 ballotFileDigest)',
  Submission:
    'Submission(bytes32 datanetId,address contributor,bytes32 objectDigest,uint64 sizeBytes,' +
    'uint64 recordCount,bytes32 recordsRoot,string license,bytes32 consent,uint64 nonce,uint64 deadline)',
} as const
export type TypeName = keyof typeof TYPES

const DOMAIN_TYPE =
  'EIP712Domain(string name,string version,uint256 chainId,address verifyingContract,bytes32 salt)'

const hashText = (text: string) => keccak256(utf8ToBytes(text))

/** One 32-byte word of encodeData. @throws Error when the value does not fit its type */
function word(type: string, value: unknown): Uint8Array {
  const wrong = () => new Error(`${String(value).slice(0, 80)} is not a ${type}`)
  if (type === 'string') {
    if (typeof value !== 'string') throw wrong()
    return hashText(value)
  }
  if (type === 'bytes32') {
    if (typeof value !== 'string' || !/^0x[0-9a-f]{64}$/.test(value)) throw wrong()
    return fromHex(value)
  }
  if (type === 'address') {
    if (typeof value !== 'string' || !/^0x[0-9a-f]{40}$/.test(value)) throw wrong()
    return fromHex(value.slice(2).padStart(64, '0'))
  }
  const bits = /^uint(\d+)$/.exec(type)?.[1]
  if (bits === undefined) throw new Error(`unknown type ${type}`)
  const isNumber = typeof value === 'number' && Number.isSafeInteger(value)
  const isDecimal = typeof value === 'string' && /^(0|[1-9]\d*)$/.test(value)
  if (!isNumber && !isDecimal) throw wrong()
  const number = BigInt(value)
  if (number < 0n || number >= 1n << BigInt(bits)) throw wrong()
  return fromHex(number.toString(16).padStart(64, '0'))
}

/** hashStruct: keccak256(typeHash, a word a field); `encodedType` is like 'Ballot(bytes32 proposalId,...)'. */
export function hashStruct(encodedType: string, values: Readonly<Record<string, unknown>>): Uint8Array {
  const fields = encodedType.slice(encodedType.indexOf('(') + 1, -1).split(',')
  const words = fields.map(field => {
    const [type, name] = field.split(' ') as [string, string]
    return word(type, values[name])
  })
  return keccak256(hashText(encodedType), ...words)
}

/** The digest that is signed for a message of this deployment. */
export function typedDataDigest(
  domain: Domain,
  type: TypeName,
  message: Readonly<Record<string, unknown>>,
): Uint8Array {
  const separator = hashStruct(DOMAIN_TYPE, {
    name: 'OpenLedger',
    version: '1',
    chainId: domain.chainId,
    verifyingContract: domain.gOpen,
    salt: domain.deploymentId,
  })
  return keccak256(Uint8Array.of(0x19, 0x01), separator, hashStruct(TYPES[type], message))
}

/**
 * The address whose key signed the digest. Takes only the one stored spelling: 65 bytes, low s, v 27 or 28.
 * @throws Error
 */
export function recover(digest: Uint8Array, signature: string): string {
  if (!/^0x[0-9a-f]{130}$/.test(signature)) throw new Error('the signature is not 65 bytes of lower-case hex')
  const r = BigInt(`0x${signature.slice(2, 66)}`)
  const s = BigInt(`0x${signature.slice(66, 130)}`)
  const v = Number.parseInt(signature.slice(130), 16)
  if (v !== 27 && v !== 28) throw new Error(`v is ${v}, not 27 or 28`)
  const made = new secp256k1.Signature(r, s, v - 27)
  if (made.hasHighS()) throw new Error('s is not the low one')
  const point = made.recoverPublicKey(digest).toBytes(false)
  return `0x${toHex(keccak256(point.slice(1)).slice(12))}`
}

/** The address that signed this message. @throws Error */
export function signerOf(
  domain: Domain,
  type: TypeName,
  message: Readonly<Record<string, unknown>>,
  signature: string,
): string {
  return recover(typedDataDigest(domain, type, message), signature)
}
