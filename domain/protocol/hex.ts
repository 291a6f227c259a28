/**
 * Branded byte strings. Inside the product an address is lower-case 0x-hex, so that two spellings of one
 * account are never two keys; the EIP-55 checksum appears only where a person reads it.
 * A raw string becomes one of these types only through a parser of this file.
 */
import { getAddress } from 'ethers/address'
import { OpenLedgerError } from '../errors.ts'

declare const brand: unique symbol
type Brand<Name extends string> = { readonly [brand]: { readonly [N in Name]: true } }

/** Lower-case hex of whole bytes with 0x. */
export type Hex = `0x${string}` & Brand<'Hex'>
/** 20 bytes, lower case, with 0x. */
export type Address = Hex & Brand<'Address'>
/** 32 bytes, lower case, with 0x: what a contract may see. */
export type Bytes32 = Hex & Brand<'Bytes32'>
/** 32 bytes as 64 lower-case hex digits without 0x: a SHA-256 as AWS, S3 keys and the log spell it. */
export type Sha256Hex = string & Brand<'Sha256Hex'>

/** Longest piece of a refused text that an error repeats, in characters. */
const SHOWN_CHARACTERS = 70

function malformed(expected: string, seen: unknown): OpenLedgerError {
  const shown = typeof seen === 'string' ? seen.slice(0, SHOWN_CHARACTERS) : typeof seen
  return new OpenLedgerError('malformed', `expected ${expected}`, { expected, seen: shown })
}

/** Any whole bytes as 0x-hex of either case; holds lower case after. @throws OpenLedgerError malformed */
export function parseHex(text: unknown): Hex {
  if (typeof text !== 'string' || !/^0x(?:[0-9a-f]{2})*$/i.test(text))
    throw malformed('0x-hex of whole bytes', text)
  return `0x${text.slice(2).toLowerCase()}` as Hex
}

/**
 * An address in lower, upper or EIP-55 mixed case; a mixed-case text whose checksum is wrong is a typing
 * mistake and is refused. @throws OpenLedgerError malformed
 */
export function parseAddress(text: unknown): Address {
  if (typeof text !== 'string' || !/^0x[0-9a-f]{40}$/i.test(text))
    throw malformed('an address: 0x and 40 hex digits', text)
  const digits = text.slice(2)
  const isOneCase = digits === digits.toLowerCase() || digits === digits.toUpperCase()
  if (!isOneCase && checksumAddress(text.toLowerCase() as Address) !== text)
    throw malformed('an address whose EIP-55 checksum holds', text)
  return text.toLowerCase() as Address
}

/** The EIP-55 spelling, for people and wallets. */
export function checksumAddress(address: Address): string {
  return getAddress(address)
}

/** 32 bytes with 0x. @throws OpenLedgerError malformed */
export function parseBytes32(text: unknown): Bytes32 {
  if (typeof text !== 'string' || !/^0x[0-9a-f]{64}$/i.test(text))
    throw malformed('32 bytes: 0x and 64 hex digits', text)
  return text.toLowerCase() as Bytes32
}

/** 64 lower-case hex digits without 0x; another case is another S3 key and is refused. @throws malformed */
export function parseSha256Hex(text: unknown): Sha256Hex {
  if (typeof text !== 'string' || !/^[0-9a-f]{64}$/.test(text))
    throw malformed('a SHA-256: 64 lower-case hex digits', text)
  return text as Sha256Hex
}

/** The same 32 bytes in the spelling that contracts and EIP-712 take. */
export function sha256ToBytes32(digest: Sha256Hex): Bytes32 {
  return `0x${digest}` as Bytes32
}

/** The same 32 bytes in the spelling of the log and of AWS. */
export function bytes32ToSha256(value: Bytes32): Sha256Hex {
  return value.slice(2) as Sha256Hex
}

const HEX_OF_BYTE = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0'))

/** Bytes as lower-case hex without 0x. */
export function bytesToDigits(bytes: Uint8Array): string {
  let digits = ''
  for (const byte of bytes) digits += HEX_OF_BYTE[byte]
  return digits
}

/** Bytes as lower-case 0x-hex. */
export function bytesToHex(bytes: Uint8Array): Hex {
  return `0x${bytesToDigits(bytes)}` as Hex
}

/** Hex digits of whole bytes, with or without 0x, to bytes. @throws OpenLedgerError malformed */
export function hexToBytes(text: string): Uint8Array {
  const digits = text.startsWith('0x') ? text.slice(2) : text
  if (digits.length % 2 !== 0 || !/^[0-9a-f]*$/i.test(digits)) throw malformed('hex of whole bytes', text)
  const bytes = new Uint8Array(digits.length / 2)
  for (let at = 0; at < bytes.length; at++) bytes[at] = Number.parseInt(digits.slice(2 * at, 2 * at + 2), 16)
  return bytes
}

/** The parts one after the other. */
export function concatBytes(...parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((total, part) => total + part.length, 0))
  let at = 0
  for (const part of parts) {
    whole.set(part, at)
    at += part.length
  }
  return whole
}

/** Byte-wise order, as sorted hashes and Merkle leaves use it: negative, zero or positive. */
export function compareBytes(left: Uint8Array, right: Uint8Array): number {
  const shared = Math.min(left.length, right.length)
  for (let at = 0; at < shared; at++) {
    const difference = left[at]! - right[at]!
    if (difference !== 0) return difference
  }
  return left.length - right.length
}
