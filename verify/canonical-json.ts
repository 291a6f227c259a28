/** Canonical JSON of docs/protocol.md section 2: RFC 8785, integers within 2^53 - 1. Written on its own. */
import { keccak256, sha256, toHex, utf8ToBytes } from './bytes.ts'

/** @throws Error for a value that has no canonical spelling */
export function canonical(value: unknown): string {
  if (value === null || typeof value === 'boolean') return String(value)
  if (typeof value === 'number') {
    if (!Number.isFinite(value) || (Number.isInteger(value) && !Number.isSafeInteger(value)))
      throw new Error(`${value} has no canonical spelling`)
    return String(value === 0 ? 0 : value)
  }
  if (typeof value === 'string') {
    if (!value.isWellFormed()) throw new Error('a lone surrogate has no canonical spelling')
    return JSON.stringify(value)
  }
  if (Array.isArray(value)) return `[${value.map(canonical).join(',')}]`
  if (typeof value !== 'object') throw new Error(`a ${typeof value} has no canonical spelling`)
  const members = Object.entries(value).sort(([left], [right]) => (left < right ? -1 : 1))
  return `{${members.map(([name, member]) => `${canonical(name)}:${canonical(member)}`).join(',')}}`
}

/**
 * The value of a canonical text. Any other spelling is refused; that also finds members named twice, which
 * JSON.parse drops in silence. @throws Error
 */
export function parseCanonicalText(text: string): unknown {
  const value: unknown = JSON.parse(text)
  if (canonical(value) !== text) throw new Error('the text is not canonical JSON')
  return value
}

/** keccak256 of the canonical JSON as 0x-hex: the id of a document. */
export const documentId = (value: unknown): string => `0x${toHex(keccak256(utf8ToBytes(canonical(value))))}`

/** SHA-256 of the canonical JSON as hex without 0x. */
export const documentDigest = (value: unknown): string => toHex(sha256(utf8ToBytes(canonical(value))))
