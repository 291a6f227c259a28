import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import fc from 'fast-check'
import {
  INTAKE_LIMITS,
  type IntakeLimits,
  type ParsedLine,
  parseRecords,
  type RecordProfile,
} from '../../domain/data/record-profile.ts'
import { canonicalJson } from '../../domain/protocol/canonical-json.ts'
import { proveRuns } from '../support/prove-runs.ts'

const bytesOf = (text: string) => new TextEncoder().encode(text)

async function parse(
  content: string | Uint8Array,
  limits: Partial<IntakeLimits> = {},
  profile: RecordProfile = 'instruction',
  cuts: readonly number[] = [],
): Promise<ParsedLine[]> {
  const bytes = typeof content === 'string' ? bytesOf(content) : content
  const chunks: Uint8Array[] = []
  let from = 0
  for (const cut of [...cuts].sort((left, right) => left - right).filter(cut => cut <= bytes.length)) {
    chunks.push(bytes.slice(from, cut))
    from = cut
  }
  chunks.push(bytes.slice(from))
  const lines: ParsedLine[] = []
  for await (const line of parseRecords(chunks, profile, { ...INTAKE_LIMITS, ...limits })) lines.push(line)
  return lines
}

const aRecord = (changes = {}) => ({
  instruction: 'Name the capital of France',
  output: 'Paris',
  group: 'geo',
  ...changes,
})
const lineOf = (changes = {}) => JSON.stringify(aRecord(changes))
const codes = (lines: ParsedLine[]) => lines.map(line => (line.ok ? 'ok' : line.code))

const anyRecord = fc.record(
  {
    instruction: fc.string({ unit: 'grapheme', minLength: 1, maxLength: 60 }),
    output: fc.string({ unit: 'grapheme', maxLength: 60 }),
    system: fc.string({ unit: 'grapheme', minLength: 1, maxLength: 20 }),
    group: fc.string({ unit: 'grapheme', minLength: 1, maxLength: 20 }),
  },
  { requiredKeys: ['instruction', 'output', 'group'] },
)

describe('rows of an upload', () => {
  it('come out as they were sent, however the bytes are cut', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(anyRecord, { minLength: 1, maxLength: 6 }),
        fc.array(fc.nat(2_000), { maxLength: 12 }),
        fc.constantFrom('\n', '\r\n'),
        fc.boolean(),
        async (records, cuts, ending, endsWithFeed) => {
          const content =
            records.map(record => JSON.stringify(record)).join(ending) + (endsWithFeed ? ending : '')
          const lines = await parse(content, {}, 'instruction', cuts)
          expect(lines).toEqual(
            records.map((record, index) => ({
              ok: true,
              line: index + 1,
              index,
              record,
              canonical: canonicalJson(record),
            })),
          )
        },
      ),
      proveRuns(3),
    )
  })

  it('are never a crash: any bytes give one result a line', async () => {
    const scraps = fc.constantFrom(
      '{',
      '}',
      '[',
      '"',
      '\n',
      '\\ud800',
      '\\u0000',
      ':',
      ',',
      '1e999',
      'null',
      '\ufeff',
      '{"instruction":',
      '__proto__',
    )
    await fc.assert(
      fc.asyncProperty(
        fc.oneof(
          fc.uint8Array({ maxLength: 200 }),
          fc.array(scraps, { maxLength: 40 }).map(parts => bytesOf(parts.join(''))),
        ),
        fc.constantFrom<RecordProfile>('instruction', 'chat'),
        async (bytes, profile) => {
          const lines = await parse(bytes, {}, profile)
          const feeds = bytes.filter(byte => byte === 10).length
          const expected = bytes.length === 0 ? 1 : feeds + (bytes.at(-1) === 10 ? 0 : 1)
          expect(lines).toHaveLength(expected)
          for (const line of lines) canonicalJson(line)
        },
      ),
      proveRuns(3),
    )
  })

  it.each([
    ['a byte order mark', `\ufeff${lineOf()}`, 'byte-order-mark'],
    ['bytes that are not UTF-8', Uint8Array.of(0x7b, 0xff, 0x7d), 'invalid-utf8'],
    ['UTF-8 of a surrogate', Uint8Array.of(0x22, 0xed, 0xa0, 0x80, 0x22), 'invalid-utf8'],
    ['an overlong NUL', Uint8Array.of(0x22, 0xc0, 0x80, 0x22), 'invalid-utf8'],
    ['a raw NUL', lineOf().replace('Paris', 'Par\0is'), 'nul-character'],
    ['an escaped NUL', lineOf({ output: 'Par\0is' }), 'nul-character'],
    ['a lone surrogate', lineOf().replace('Paris', '\\ud800'), 'invalid-json'],
    ['the same key twice', lineOf().replace('{', '{"output":"Lyon",'), 'invalid-json'],
    ['the same key twice, once escaped', lineOf().replace('{', '{"outp\\u0075t":"Lyon",'), 'invalid-json'],
    ['nesting without end', '['.repeat(100_000), 'invalid-json'],
    [
      'nesting in a field',
      lineOf().replace('"Paris"', `${'['.repeat(5_000)}${']'.repeat(5_000)}`),
      'invalid-json',
    ],
    ['a number beyond 2^53', lineOf().replace('"Paris"', '9007199254740993'), 'invalid-json'],
    ['two values', `${lineOf()}${lineOf()}`, 'invalid-json'],
    ['a field that the profile has not', lineOf({ price: 1 }), 'wrong-shape'],
    ['a prototype', lineOf().replace('{', '{"__proto__":{"output":"x"},'), 'wrong-shape'],
    ['a missing field', lineOf({ output: undefined }), 'wrong-shape'],
    ['an empty question', lineOf({ instruction: '' }), 'wrong-shape'],
    ['a list', '[]', 'wrong-shape'],
    ['nothing', '   ', 'blank-line'],
  ])('with %s are refused with a reason', async (_what, content, code) => {
    const [line] = await parse(content)
    expect(line).toMatchObject({ ok: false, line: 1, code })
    expect(line).toHaveProperty('expected', expect.stringMatching(/./))
  })

  it('around a refused row keep their own numbers', async () => {
    const lines = await parse([lineOf(), 'oops', '', lineOf({ output: 'Lyon' })].join('\n'))
    expect(lines.map(({ line }) => line)).toEqual([1, 2, 3, 4])
    expect(codes(lines)).toEqual(['ok', 'invalid-json', 'blank-line', 'ok'])
    expect(lines[3]).toMatchObject({ index: 3 })
  })

  it('may not begin with a byte order mark further down either', async () => {
    expect(codes(await parse(`${lineOf()}\n\ufeff${lineOf({ output: 'Lyon' })}`))).toEqual([
      'ok',
      'invalid-json',
    ])
  })

  it('survive a source that reads every chunk into the same buffer', async () => {
    const bytes = bytesOf([lineOf(), lineOf({ output: 'Lyon' }), lineOf({ output: 'Nice' })].join('\n'))
    const buffer = new Uint8Array(7)
    async function* reused() {
      for (let from = 0; from < bytes.length; from += buffer.length) {
        const piece = bytes.subarray(from, from + buffer.length)
        buffer.set(piece)
        yield buffer.subarray(0, piece.length)
      }
    }
    const outputs: string[] = []
    for await (const line of parseRecords(reused(), 'instruction'))
      if (line.ok && 'output' in line.record) outputs.push(line.record.output)
    expect(outputs).toEqual(['Paris', 'Lyon', 'Nice'])
  })

  it('with a literal backslash-u0000 in the text are fine', async () => {
    expect(codes(await parse(lineOf({ output: 'write \\u0000 for NUL' })))).toEqual(['ok'])
  })

  it('may be as long as the limit and not one byte longer', async () => {
    const line = lineOf()
    expect(codes(await parse(line, { maxLineBytes: line.length }))).toEqual(['ok'])
    expect(
      await parse(`${line}\n${lineOf({ output: 'b' })}`, { maxLineBytes: line.length - 1 }),
    ).toMatchObject([
      { code: 'line-too-long', seen: `${line.length} bytes` },
      { ok: true, line: 2 },
    ])
  })

  it('of a line without end are not kept in memory', async () => {
    setFlagsFromString('--expose-gc')
    const collectGarbage = runInNewContext('gc') as () => void
    const held: number[] = []
    async function* endless() {
      for (let at = 0; at < 200; at++) {
        if (at === 20 || at === 199) {
          collectGarbage()
          held.push(process.memoryUsage().arrayBuffers)
        }
        yield new Uint8Array(1_000_000).fill(0x61)
      }
    }
    const lines: ParsedLine[] = []
    for await (const line of parseRecords(endless(), 'instruction')) lines.push(line)
    expect(lines).toMatchObject([{ code: 'line-too-long', seen: '200000000 bytes' }])
    const [early = 0, late = Infinity] = held
    expect(late - early).toBeLessThan(50_000_000)
  })

  it('beyond the limits of the object end the reading with a reason for the whole', async () => {
    const three = [lineOf(), lineOf(), lineOf()].join('\n')
    expect(codes(await parse(three, { maxRecords: 2 }))).toEqual(['ok', 'ok', 'too-many-records'])
    expect(codes(await parse(three, { maxRecords: 3 }))).toEqual(['ok', 'ok', 'ok'])
    expect((await parse(three, { maxObjectBytes: three.length - 1 })).at(-1)).toMatchObject({
      line: 0,
      code: 'object-too-large',
    })
    expect(codes(await parse(three, { maxObjectBytes: three.length }))).toEqual(['ok', 'ok', 'ok'])
    expect(await parse('')).toMatchObject([{ line: 0, code: 'no-records' }])
  })
})

describe('conversations', () => {
  const said = (...roles: string[]) =>
    JSON.stringify({ group: 'g', messages: roles.map(role => ({ role, content: `${role} speaks` })) })

  it.each([
    [['user', 'assistant'], true],
    [['system', 'user', 'assistant'], true],
    [['user', 'assistant', 'user', 'assistant'], true],
    [['user'], false],
    [['assistant', 'user'], false],
    [['user', 'assistant', 'user'], false],
    [['user', 'system', 'assistant'], false],
    [['user', 'user', 'assistant'], false],
    [['system', 'assistant'], false],
    [['user', 'tool'], false],
    [[], false],
  ])('with the roles %j: %s', async (roles, isFine) => {
    expect(codes(await parse(said(...roles), {}, 'chat'))).toEqual([isFine ? 'ok' : 'wrong-shape'])
  })
})
