import canonicalize from 'canonicalize'
import fc from 'fast-check'
import {
  canonicalBytes,
  canonicalJson,
  isCanonical,
  MAX_JSON_DEPTH,
  parseCanonical,
} from '../../domain/protocol/canonical-json.ts'
import { proveRuns } from '../support/prove-runs.ts'

const refusal = (what: RegExp) =>
  expect.objectContaining({ code: 'malformed', message: expect.stringMatching(what) })

function doubleOf(bits: string): number {
  return new DataView(Uint8Array.from(Buffer.from(bits, 'hex')).buffer).getFloat64(0)
}

describe('canonical JSON', () => {
  it('spells the example of RFC 8785 section 3.2.2 (without its 1E30, which is refused here)', () => {
    const text = String.raw`{
      "numbers": [333333333.33333329, 4.50, 2e-3, 0.000000000000000000000000001],
      "string": "\u20ac$\u000F\u000aA'\u0042\u0022\u005c\\\"\/",
      "literals": [null, true, false]
    }`
    expect(canonicalJson(parseCanonical(text))).toBe(
      String.raw`{"literals":[null,true,false],"numbers":[333333333.3333333,4.5,0.002,1e-27],"string":"€$\u000f\nA'B\"\\\\\"/"}`,
    )
    expect(() => parseCanonical('1E30')).toThrow(refusal(/beyond 2\^53/))
  })

  it('sorts members by UTF-16 code units as RFC 8785 section 3.2.3 shows', () => {
    const text = String.raw`{"\u20ac":"Euro Sign","\r":"Carriage Return","\ufb33":"Hebrew Letter Dalet With Dagesh",
      "1":"One","\ud83d\ude00":"Emoji: Grinning Face","\u0080":"Control","\u00f6":"Latin Small Letter O With Diaeresis"}`
    const members = JSON.parse(canonicalJson(parseCanonical(text))) as Record<string, string>
    // "1" looks like an array index, so JSON.parse moves it to the front: read the order from the text.
    const order = Object.values(members).sort(
      (a, b) =>
        canonicalJson(parseCanonical(text)).indexOf(a) - canonicalJson(parseCanonical(text)).indexOf(b),
    )
    expect(order).toEqual([
      'Carriage Return',
      'One',
      'Control',
      'Latin Small Letter O With Diaeresis',
      'Euro Sign',
      'Emoji: Grinning Face',
      'Hebrew Letter Dalet With Dagesh',
    ])
  })

  it.each([
    ['0000000000000000', '0'],
    ['8000000000000000', '0'],
    ['0000000000000001', '5e-324'],
    ['8000000000000001', '-5e-324'],
    ['433fffffffffffff', '9007199254740991'],
    ['3eb0c6f7a0b5ed8c', '9.999999999999997e-7'],
    ['3eb0c6f7a0b5ed8d', '0.000001'],
    ['41b3de4355555553', '333333333.3333332'],
    ['41b3de4355555554', '333333333.33333325'],
    ['41b3de4355555555', '333333333.3333333'],
    ['41b3de4355555556', '333333333.3333334'],
    ['41b3de4355555557', '333333333.33333343'],
    ['becbf647612f3696', '-0.0000033333333333333333'],
    ['43143ff3c1cb0959', '1424953923781206.2'],
  ])('spells the double %s of RFC 8785 appendix B as %s', (bits, spelled) => {
    expect(canonicalJson(doubleOf(bits))).toBe(spelled)
  })

  it.each([
    ['NaN', Number.NaN],
    ['Infinity', Number.POSITIVE_INFINITY],
    ['an unsafe integer', 2 ** 53],
    ['a large negative integer', -1e21],
    ['undefined', undefined],
    ['an undefined member', { a: undefined }],
    ['a hole in an array', [1, undefined]],
    ['a bigint', 1n],
    ['a function', () => 1],
    ['a Date', new Date(0)],
    ['a Map', new Map()],
    ['a lone surrogate', '\ud800'],
    ['a lone surrogate in a name', { '\udc00': 1 }],
  ])('refuses %s', (_name, value) => {
    expect(() => canonicalJson(value)).toThrow(refusal(/not canonical JSON/))
  })

  it('refuses nesting deeper than the limit, in text and in values, without overflowing', () => {
    const nested = (depth: number) => '['.repeat(depth) + ']'.repeat(depth)
    expect(canonicalJson(parseCanonical(nested(MAX_JSON_DEPTH)))).toBe(nested(MAX_JSON_DEPTH))
    expect(() => parseCanonical(nested(100_000))).toThrow(refusal(/deeper/))
    const circular: unknown[] = []
    circular.push(circular)
    expect(() => canonicalJson(circular)).toThrow(refusal(/deeper/))
  })

  it.each([
    ['{"a":1,"a":2}', /same name/],
    [String.raw`{"a":1,"\u0061":2}`, /same name/],
    ['{"__proto__":1,"__proto__":2}', /same name/],
    ['9007199254740992', /beyond/],
    [String.raw`"\ud800"`, /surrogate/],
    ['', /a value/],
    ['[1,]', /a value/],
    ['{"a":1,}', /a string/],
    ['[1 2]', /"," or "\]"/],
    ['01', /the end/],
    ['1 x', /the end/],
    ['"abc', /end of a string/],
    ['"\u0000"', /control character/],
    [String.raw`"\x"`, /escape/],
    ['nul', /a value/],
    ['\ufeff1', /a value/],
    ['1e999', /Infinity/],
  ])('does not read %s', (text, why) => {
    expect(() => parseCanonical(text)).toThrow(refusal(why))
  })

  it('keeps a member named __proto__ as data', () => {
    const value = parseCanonical('{"__proto__":{"admin":true}}') as { admin?: boolean }
    expect(value.admin).toBeUndefined()
    expect(canonicalJson(value)).toBe('{"__proto__":{"admin":true}}')
  })

  it('knows the canonical spelling from others of the same value', () => {
    expect(isCanonical('{"a":1,"b":[]}')).toBe(true)
    for (const other of ['{"b":[],"a":1}', '{"a":1, "b":[]}', '{"a":1.0,"b":[]}', '{"a":1,"b":[]}\n'])
      expect(isCanonical(other)).toBe(false)
  })

  it('agrees with the reference implementation on any JSON value, and reads its own text back', () => {
    const value = fc.jsonValue({ stringUnit: 'grapheme', maxDepth: 5 })
    fc.assert(
      fc.property(value, json => {
        const holdsUnsafe = (v: unknown): boolean =>
          typeof v === 'number'
            ? Number.isInteger(v) && !Number.isSafeInteger(v)
            : typeof v === 'object' && v !== null && Object.values(v).some(holdsUnsafe)
        fc.pre(!holdsUnsafe(json))
        const spelled = canonicalJson(json)
        expect(spelled).toBe(canonicalize(json))
        expect(canonicalJson(parseCanonical(JSON.stringify(json, null, 1)))).toBe(spelled)
        expect(isCanonical(spelled)).toBe(true)
      }),
      proveRuns(),
    )
  })

  it('encodes as UTF-8', () => {
    expect(Buffer.from(canonicalBytes('€')).toString('hex')).toBe('22e282ac22')
  })
})
