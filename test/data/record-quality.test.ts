import fc from 'fast-check'
import { copyKeys } from '../../domain/data/copies.ts'
import { type InstructionRecord, MAX_TEXT_CHARACTERS } from '../../domain/data/record-profile.ts'
import { QUALITY_LIMITS, recordQuality, repeatedSharePpm } from '../../domain/data/record-quality.ts'
import { normalizeText } from '../../domain/data/words.ts'
import { actionRecord, iamActions, levelRecord } from '../support/iam-records.ts'
import { proveRuns } from '../support/prove-runs.ts'

const aRecord = (changes: Partial<InstructionRecord> = {}): InstructionRecord => ({
  instruction: 'Name the capital of France',
  output: 'Paris',
  group: 'geo',
  ...changes,
})
const codesOf = (record: InstructionRecord) => recordQuality(record).findings.map(({ code }) => code)

const anyText = fc.oneof(
  fc.string({ unit: 'grapheme', maxLength: 200 }),
  fc.string({ unit: 'binary', maxLength: 80 }),
  fc
    .array(fc.constantFrom('word', 'Слово', '單', ' ', '-', '5', '\u200d', '\u202e', '👍', 'é'), {
      maxLength: 60,
    })
    .map(parts => parts.join('')),
)

describe('the quality of a record', () => {
  it('is what the prices of its findings leave, for any text', () => {
    fc.assert(
      fc.property(anyText, anyText, anyText, (instruction, output, system) => {
        const { accepted, scorePpm, findings } = recordQuality(aRecord({ instruction, output, system }))
        const cost = findings.reduce((sum, finding) => sum + finding.costPpm, 0)
        expect(scorePpm).toBe(Math.max(0, 1_000_000 - cost))
        expect(accepted).toBe(scorePpm >= QUALITY_LIMITS.minScorePpm)
        for (const { costPpm } of findings) expect(Number.isInteger(costPpm) && costPpm > 0).toBe(true)
      }),
      proveRuns(),
    )
  })

  it.each<[string, Partial<InstructionRecord>, string]>([
    ['an empty answer', { output: '' }, 'empty-output'],
    ['an answer of spaces', { output: ' \n\t ' }, 'empty-output'],
    ['an answer of invisible characters', { output: '\u200b\u2060' }, 'empty-output'],
    ['the question as the answer', { output: 'name the CAPITAL of France!' }, 'output-equals-instruction'],
    ['a terminal escape', { output: '\u001b[31mParis' }, 'control-characters'],
    ['a backspace in the system prompt', { system: 'Be helpful\u0008' }, 'control-characters'],
    ['an override of direction', { output: 'Par\u202eis' }, 'bidi-control'],
    ['an isolate', { instruction: 'Name the capital \u2066of\u2069 France' }, 'bidi-control'],
    ['a zero-width space', { output: 'Pa\u200bris' }, 'hidden-characters'],
    ['a joiner between Latin letters', { output: 'Pa\u200dris' }, 'hidden-characters'],
    ['text smuggled in tag characters', { output: 'Paris\u{e0069}\u{e0067}\u{e006e}' }, 'hidden-characters'],
    ['a mark of direction without such a script', { output: 'Paris\u200f' }, 'hidden-characters'],
    ['hidden text in the group', { group: 'ge\u2063o' }, 'hidden-characters'],
    ['a noncharacter', { output: 'Paris\ufdd0' }, 'noncharacter'],
    ['a tower of marks', { output: `Paris${'\u0301'.repeat(9)}` }, 'stacked-marks'],
    ['letters of two alphabets', { instruction: 'Log in to pаypаl safely' }, 'mixed-script'],
    ['the same words again and again', { output: 'buy now today '.repeat(20) }, 'repetitive'],
    [
      'an endless letter',
      { output: 'a'.repeat(90), instruction: `${'b'.repeat(50)} ${'c'.repeat(50)} what` },
      'long-run',
    ],
    ['an answer beyond the limit', { output: 'word '.repeat(4_000) }, 'too-long'],
  ])('with %s falls below what is accepted', (_what, changes, code) => {
    const quality = recordQuality(aRecord(changes))
    expect(quality.findings.map(finding => finding.code)).toContain(code)
    expect(quality.accepted).toBe(false)
  })

  it.each<[string, string]>([
    ['a family', '👨‍👩‍👧‍👦'],
    ['a flag of a country part', '🏴\u{e0067}\u{e0062}\u{e0065}\u{e006e}\u{e0067}\u{e007f}'],
    ['a keycap', '1\ufe0f\u20e3 first'],
    ['a skin tone', '👍🏽'],
    ['a red heart', '❤️'],
    ['Persian with its joiner', 'می‌خواهم'],
    ['Hindi with its joiner', 'क्‍ष'],
    ['Hebrew with a mark of direction', 'שלום\u200f (a)'],
    ['a variant of a Han character', '葛\u{e0100}城'],
    ['Vietnamese', 'Thủ đô của Pháp là Paris'],
    ['a Greek letter in a formula', 'Δt and μm'],
    ['a table', '| a | b |\n|---|---|\n| 1 | 2 |'],
  ])('does not suffer from %s', (_what, output) => {
    expect(recordQuality(aRecord({ output }))).toMatchObject({ accepted: true, scorePpm: 1_000_000 })
  })

  it('costs 150,000 ppm a word that a question lacks to three', () => {
    expect(recordQuality(aRecord({ instruction: 'Capital?' })).scorePpm).toBe(700_000)
    expect(recordQuality(aRecord({ instruction: 'Which capital?' })).scorePpm).toBe(850_000)
  })

  it('counts repeated triples from 20 words up', () => {
    expect(repeatedSharePpm('a b c'.repeat(5).split(' '))).toBe(0)
    // 20 equal words have 18 triples, all but the first of which came before.
    expect(repeatedSharePpm(Array.from({ length: 20 }, () => 'no'))).toBe(944_444)
    expect(repeatedSharePpm(Array.from({ length: 40 }, (_, at) => `w${at}`))).toBe(0)
  })

  it('is full for an answer that only begins like the question', () => {
    expect(codesOf(aRecord({ output: 'Name the capital of France: Paris' }))).toEqual(['echo'])
    expect(codesOf(aRecord({ output: 'Name the capital of Frances region' }))).toEqual([])
  })

  it('refuses none of 43,284 honest records made of IAM actions', async () => {
    const actions = await iamActions()
    const refused = [...actions.map(actionRecord), ...actions.map(levelRecord)].filter(
      record => !recordQuality(record).accepted,
    )
    expect(actions.length).toBeGreaterThan(20_000)
    expect(refused).toEqual([])
  })

  it.each([' ', '(', ' (', '- ', 'a', '\u0301', '\u200d', '👍\u200d', '/5', '.', 'аa', '字'])(
    'and the copy keys of a text of nothing but %j take time in proportion to its length',
    piece => {
      const seconds = (characters: number) => {
        const text = piece.repeat(Math.ceil(characters / piece.length)).slice(0, characters)
        const started = process.hrtime.bigint()
        recordQuality(aRecord({ instruction: `${text} x`, output: `y ${text}` }))
        copyKeys(aRecord({ instruction: `${text} x`, output: `y ${text}` }))
        return Number(process.hrtime.bigint() - started) / 1e9
      }
      // A quadratic step would take minutes at this length.
      expect(seconds(MAX_TEXT_CHARACTERS)).toBeLessThan(5)
    },
  )
})

describe('normalized text', () => {
  it('is the same when normalized again', () => {
    fc.assert(
      fc.property(anyText, text => {
        const once = normalizeText(text)
        expect(normalizeText(once)).toBe(once)
        expect(once).not.toContain('\n')
      }),
      proveRuns(),
    )
  })

  it('forgets case, punctuation, spaces, width and invisible characters, and keeps operators', () => {
    expect(normalizeText('  Ｎame, the\u00a0“CAPITAL” of\u200b France?! ')).toBe('name the capital of france')
    expect(normalizeText('Is 3 - 4 < 5?')).not.toBe(normalizeText('Is 3 + 4 < 5?'))
    expect(normalizeText('Is 3 - 4 < 5?')).not.toBe(normalizeText('Is 3 / 4 < 5?'))
    expect(normalizeText('C++')).not.toBe(normalizeText('C'))
    expect(normalizeText('?!')).not.toBe(normalizeText('...'))
  })
})
