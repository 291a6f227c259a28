/**
 * Canonical JSON: RFC 8785 (JCS) over I-JSON (RFC 7493), so that one document has one spelling and one
 * digest in every language. Stricter than RFC 8785 in one point: an integer beyond 2^53 - 1 is refused,
 * since other languages would read another number; such amounts travel as decimal strings.
 */
import { OpenLedgerError } from '../errors.ts'

export type JsonValue =
  | null
  | boolean
  | number
  | string
  | readonly JsonValue[]
  | { readonly [key: string]: JsonValue }

/** Deeper nesting has no use here, and unbounded depth overflows the stack of whoever reads the document. */
export const MAX_JSON_DEPTH = 64

function refuse(what: string, path: string): OpenLedgerError {
  return new OpenLedgerError('malformed', `not canonical JSON: ${what} at ${path}`, {
    expected: 'a value that RFC 8785 can spell',
    seen: `${what} at ${path}`,
  })
}

function spellNumber(value: number, path: string): string {
  if (!Number.isFinite(value)) throw refuse(String(value), path)
  if (Number.isInteger(value) && !Number.isSafeInteger(value))
    throw refuse('an integer beyond 2^53 - 1 (send a decimal string)', path)
  // RFC 8785 section 3.2.2.3: ECMAScript's own Number to String; minus zero is written 0.
  return JSON.stringify(value)
}

function spellString(value: string, path: string): string {
  // RFC 8785 section 3.2.2.2: lone surrogates must end with an error, never with an escape.
  if (!value.isWellFormed()) throw refuse('a lone surrogate', path)
  return JSON.stringify(value)
}

function spell(value: unknown, path: string, depth: number): string {
  if (depth > MAX_JSON_DEPTH) throw refuse(`nesting deeper than ${MAX_JSON_DEPTH}`, path)
  switch (typeof value) {
    case 'string':
      return spellString(value, path)
    case 'number':
      return spellNumber(value, path)
    case 'boolean':
      return value ? 'true' : 'false'
    case 'object':
      break
    default:
      throw refuse(typeof value, path)
  }
  if (value === null) return 'null'
  if (Array.isArray(value)) {
    const items: string[] = []
    for (let at = 0; at < value.length; at++) items.push(spell(value[at], `${path}[${at}]`, depth + 1))
    return `[${items.join(',')}]`
  }
  const prototype: unknown = Object.getPrototypeOf(value)
  // A Date, Map or class instance would be spelled by chance, not by the format.
  if (prototype !== Object.prototype && prototype !== null) throw refuse('an object that is not plain', path)
  const members = value as Record<string, unknown>
  // RFC 8785 section 3.2.3: by UTF-16 code units, which is what sort() without a comparer does.
  const keys = Object.keys(members).sort()
  return `{${keys
    .map(key => `${spellString(key, `${path}.${key}`)}:${spell(members[key], `${path}.${key}`, depth + 1)}`)
    .join(',')}}`
}

/**
 * The one spelling of a plain JSON value (RFC 8785). A member that is undefined is refused, not dropped.
 * @throws OpenLedgerError malformed
 */
export function canonicalJson(value: unknown): string {
  return spell(value, '$', 0)
}

/** UTF-8 of `canonicalJson(value)`: what digests and signatures are made over. */
export function canonicalBytes(value: unknown): Uint8Array {
  return new TextEncoder().encode(canonicalJson(value))
}

/** True if the text is exactly the canonical spelling of the value that it holds. */
export function isCanonical(text: string): boolean {
  try {
    return canonicalJson(parseCanonical(text)) === text
  } catch {
    return false
  }
}

const SPACE = /[ \t\n\r]*/y
const NUMBER = /-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?/y

/** A reader of RFC 8259 text; JSON.parse is not enough, since it keeps the last of two equal keys silently. */
class JsonReader {
  readonly #text: string
  #at = 0

  constructor(text: string) {
    this.#text = text
  }

  document(): JsonValue {
    const value = this.#value('$', 0)
    this.#skipSpace()
    if (this.#at !== this.#text.length) throw this.#unexpected('the end of the document')
    return value
  }

  #unexpected(expected: string): OpenLedgerError {
    const seen = this.#at < this.#text.length ? `${JSON.stringify(this.#text[this.#at])}` : 'the end'
    return new OpenLedgerError('malformed', `not JSON: expected ${expected} at character ${this.#at}`, {
      expected,
      seen: `${seen} at character ${this.#at}`,
    })
  }

  #match(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.#at
    const found = pattern.exec(this.#text)?.[0]
    if (found !== undefined) this.#at += found.length
    return found
  }

  #skipSpace(): void {
    this.#match(SPACE)
  }

  #take(literal: string): boolean {
    if (!this.#text.startsWith(literal, this.#at)) return false
    this.#at += literal.length
    return true
  }

  #string(path: string): string {
    const start = this.#at
    if (this.#text[start] !== '"') throw this.#unexpected('a string')
    // Scanned by hand: a regular expression keeps a backtracking state per character of a long string.
    let end = start + 1
    while (end < this.#text.length && this.#text[end] !== '"') end += this.#text[end] === '\\' ? 2 : 1
    this.#at = Math.min(end, this.#text.length)
    if (end >= this.#text.length) throw this.#unexpected('the end of a string')
    this.#at = end + 1
    let value: string
    try {
      value = JSON.parse(this.#text.slice(start, this.#at)) as string
    } catch (cause) {
      throw new OpenLedgerError('malformed', `not JSON: a string with a wrong escape or control character`, {
        expected: 'a string as RFC 8259 spells it',
        seen: path,
        cause,
      })
    }
    if (!value.isWellFormed()) throw refuse('a lone surrogate', path)
    return value
  }

  #value(path: string, depth: number): JsonValue {
    if (depth > MAX_JSON_DEPTH) throw refuse(`nesting deeper than ${MAX_JSON_DEPTH}`, path)
    this.#skipSpace()
    switch (this.#text[this.#at]) {
      case '{':
        return this.#object(path, depth)
      case '[':
        return this.#array(path, depth)
      case '"':
        return this.#string(path)
      default:
    }
    if (this.#take('true')) return true
    if (this.#take('false')) return false
    if (this.#take('null')) return null
    const literal = this.#match(NUMBER)
    if (literal === undefined) throw this.#unexpected('a value')
    const value = Number(literal)
    spellNumber(value, path)
    return value
  }

  #array(path: string, depth: number): JsonValue[] {
    this.#at++
    const items: JsonValue[] = []
    this.#skipSpace()
    if (this.#take(']')) return items
    for (;;) {
      items.push(this.#value(`${path}[${items.length}]`, depth + 1))
      this.#skipSpace()
      if (this.#take(']')) return items
      if (!this.#take(',')) throw this.#unexpected('"," or "]"')
    }
  }

  #object(path: string, depth: number): { [key: string]: JsonValue } {
    this.#at++
    const members: { [key: string]: JsonValue } = {}
    this.#skipSpace()
    if (this.#take('}')) return members
    for (;;) {
      this.#skipSpace()
      const key = this.#string(path)
      const memberPath = `${path}.${key}`
      // RFC 7493 section 2.3; two readers that keep different copies would see two documents.
      if (Object.hasOwn(members, key)) throw refuse('a second member of the same name', memberPath)
      this.#skipSpace()
      if (!this.#take(':')) throw this.#unexpected('":"')
      const value = this.#value(memberPath, depth + 1)
      // Assignment would set the prototype for the key "__proto__".
      Object.defineProperty(members, key, { value, enumerable: true, writable: true, configurable: true })
      this.#skipSpace()
      if (this.#take('}')) return members
      if (!this.#take(',')) throw this.#unexpected('"," or "}"')
    }
  }
}

/**
 * Reads JSON text of any spacing and member order, and refuses whatever `canonicalJson` could not spell
 * again without loss: a member named twice, integers beyond 2^53 - 1, lone surrogates, deep nesting.
 * @throws OpenLedgerError malformed
 */
export function parseCanonical(text: string): JsonValue {
  return new JsonReader(text).document()
}
