/** Reads untrusted JSON: every function answers a value of its type or throws what is wrong, and where. */

export type Json = Readonly<Record<string, unknown>>

function wrong(expected: string, path: string, seen: unknown): Error {
  const shown = typeof seen === 'string' ? `"${seen.slice(0, 60)}"` : typeof seen
  return new Error(`${path} should be ${expected}, and is ${shown}`)
}

export function asObject(value: unknown, path: string): Json {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw wrong('an object', path, value)
  return value as Json
}

export function asArray(value: unknown, path: string): readonly unknown[] {
  if (!Array.isArray(value)) throw wrong('a list', path, value)
  return value
}

export function asText(value: unknown, path: string): string {
  if (typeof value !== 'string') throw wrong('text', path, value)
  return value
}

/** An integer from 0 to 2^53 - 1. */
export function asCount(value: unknown, path: string): number {
  if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < 0)
    throw wrong('a count', path, value)
  return value
}

/** An integer of either sign. */
export function asInteger(value: unknown, path: string): number {
  if (typeof value !== 'number' || !Number.isSafeInteger(value)) throw wrong('an integer', path, value)
  return value
}

export function asFlag(value: unknown, path: string): boolean {
  if (typeof value !== 'boolean') throw wrong('true or false', path, value)
  return value
}

/** An amount in base units: decimal digits without leading zeros, below 2^256. */
export function asAmount(value: unknown, path: string): bigint {
  if (typeof value !== 'string' || !/^(0|[1-9][0-9]{0,77})$/.test(value))
    throw wrong('an amount', path, value)
  return BigInt(value)
}

function asPattern(value: unknown, path: string, pattern: RegExp, expected: string): string {
  if (typeof value !== 'string' || !pattern.test(value)) throw wrong(expected, path, value)
  return value
}

export const asAddress = (value: unknown, path: string) =>
  asPattern(value, path, /^0x[0-9a-f]{40}$/, 'an address in lower case')
export const asBytes32 = (value: unknown, path: string) =>
  asPattern(value, path, /^0x[0-9a-f]{64}$/, '32 bytes with 0x')
export const asSha256 = (value: unknown, path: string) =>
  asPattern(value, path, /^[0-9a-f]{64}$/, 'a SHA-256 without 0x')

/** An instant as ISO 8601 in UTC with milliseconds; answers epoch milliseconds. */
export function asInstant(value: unknown, path: string): number {
  const text = asPattern(value, path, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/, 'an instant in UTC')
  const instant = Date.parse(text)
  if (Number.isNaN(instant)) throw wrong('an instant', path, value)
  return instant
}
