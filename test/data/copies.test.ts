import fc from 'fast-check'
import {
  BANDS,
  bandKeys,
  copyKeys,
  findCopy,
  jaccardPpm,
  LABEL_FROM_USES,
  ROWS_PER_BAND,
  type ShingleKind,
  shingleKinds,
  shingles,
  signature,
} from '../../domain/data/copies.ts'
import type { InstructionRecord } from '../../domain/data/record-profile.ts'
import { copiedWith, pick, SMALL_CHANGES, seededRandom } from '../support/copier.ts'
import { CopyBook } from '../support/copy-book.ts'
import { actionRecord, iamActions, levelRecord } from '../support/iam-records.ts'
import { proveRuns } from '../support/prove-runs.ts'

const aRecord = (changes: Partial<InstructionRecord> = {}): InstructionRecord => ({
  instruction: 'Service waf: retrieve an array of XssMatchSet objects',
  output: 'waf:ListXssMatchSets',
  group: 'waf',
  ...changes,
})
const compared = (later: InstructionRecord, earlier: InstructionRecord, answerUses = 1) =>
  findCopy(copyKeys(later), copyKeys(earlier), answerUses)?.kind

/** Real sentences, so that lengths and repeated words are those of language. */
const PROSE =
  `A river is a natural stream of fresh water that flows on land toward another body of water at a lower
  elevation, such as an ocean or a lake. Rivers are important within the water cycle, since they carry rain and
  melted snow from the mountains to the plains; people settled beside them because they gave drink, fish, and a
  way to travel. A large river is joined by smaller ones, called tributaries, and where it meets the sea it may
  divide into several arms and build a delta from the mud that it brought along. Dams hold water back for dry
  months and turn its fall into power, but they also keep fish from the places where they were born, and so some
  dams have been given steps by which a salmon can climb. In winter the upper reaches freeze, and skaters and
  merchants once met on the ice. Maps draw rivers in blue, though most of them are brown, green or gray, as the
  clay, the algae and the sky above decide. Whoever follows one from its spring to its mouth has crossed, within
  a few weeks, nearly every kind of land that his country has to show, and has slept under very different trees.`
    .split(/\s+/)
    .join(' ')

describe('a copy', () => {
  it.each<[string, Partial<InstructionRecord>, string | undefined]>([
    ['nothing changed', {}, 'exact'],
    ['another group', { group: 'mine' }, 'normalized'],
    ['another system prompt', { system: 'You are a poet.' }, 'normalized'],
    ['another case', { instruction: 'service WAF: Retrieve An Array Of xssmatchset Objects' }, 'normalized'],
    [
      'other punctuation',
      { instruction: 'Service waf - retrieve, an array of XssMatchSet objects!' },
      'normalized',
    ],
    ['a remark on the answer', { output: 'waf:ListXssMatchSets (List)' }, 'normalized'],
    [
      'an invisible character',
      { instruction: 'Service waf: retr\u200bieve an array of XssMatchSet objects' },
      'normalized',
    ],
    [
      'an added please',
      { instruction: 'Please, Service waf: retrieve an array of XssMatchSet objects' },
      'near',
    ],
    ['a synonym', { instruction: 'Service waf: fetch an array of XssMatchSet objects' }, 'near'],
    ['two words swapped', { instruction: 'Service waf: retrieve array an of XssMatchSet objects' }, 'near'],
    ['another answer', { output: 'waf:GetXssMatchSet' }, undefined],
    ['another question', { instruction: 'Which tool cuts bread' }, undefined],
  ])('with %s', (_what, changes, kind) => {
    expect(compared(aRecord(changes), aRecord())).toBe(kind)
    expect(compared(aRecord(), aRecord(changes))).toBe(kind)
  })

  it('is not a row that only follows the same template', () => {
    const create = (thing: string): InstructionRecord => ({
      instruction: `Service cognito: create a user ${thing} in the current account`,
      output: `cognito:CreateUser${thing}`,
      group: 'cognito',
    })
    expect(compared(create('pool'), create('poll'))).toBeUndefined()
  })

  it('is the same words again, where many rows give the same short answer', () => {
    const labeled = (instruction: string) => aRecord({ instruction, output: 'Read' })
    const gateway = labeled('Which access level has a4b:GetGateway: retrieve the details of a gateway?')
    const group = labeled(
      'Which access level has a4b:GetGatewayGroup: retrieve the details of a gateway group?',
    )
    const swapped = labeled(
      'Which access level has a4b:GetGateway: retrieve details the of a gateway, please?',
    )
    expect(compared(group, gateway, LABEL_FROM_USES - 1)).toBe('near')
    expect(compared(group, gateway, LABEL_FROM_USES)).toBeUndefined()
    expect(compared(swapped, gateway, LABEL_FROM_USES)).toBe('near')
  })

  it('is not a passage with another question and a long answer of its own', () => {
    const ask = (question: string, output: string) => aRecord({ instruction: `${PROSE} ${question}`, output })
    const first = ask(
      'Who used the ice?',
      'Skaters and merchants met on it in winter, as the text says near its end.',
    )
    const second = ask(
      'Why dams?',
      'They store water for the dry months and make electric power from its fall.',
    )
    expect(compared(first, second)).toBeUndefined()
    const copied = ask(
      'Who used the ice, please?',
      'Merchants and skaters met on it in winter, as the text says near its end.',
    )
    expect(compared(copied, first)).toBe('near')
  })

  it('is found whatever the length of the text, with one word changed in thirty or more', () => {
    const words = PROSE.split(' ')
    fc.assert(
      fc.property(
        fc.integer({ min: 30, max: words.length }),
        fc.nat(),
        fc.boolean(),
        (length, at, longer) => {
          const original = words.slice(0, length)
          const changed = original.with(at % length, 'elephant')
          if (longer) changed.push('indeed')
          const record = (instruction: readonly string[]) =>
            copyKeys(aRecord({ instruction: instruction.join(' '), output: 'river:Text' }))
          const [earlier, later] = [record(original), record(changed)]
          expect(findCopy(later, earlier, 1)?.kind).toBe('near')
        },
      ),
      proveRuns(),
    )
  })

  it('and its original see each other alike', () => {
    const text = fc
      .array(fc.constantFrom('create', 'a', 'user', 'pool', 'group', 'please', '!', 'X'), { maxLength: 9 })
      .map(words => words.join(' '))
    const record = fc.record({ instruction: text, output: text, group: fc.constantFrom('a', 'b') })
    fc.assert(
      fc.property(record, record, fc.nat(6), (one, other, uses) => {
        expect(findCopy(copyKeys(one), copyKeys(other), uses)).toEqual(
          findCopy(copyKeys(other), copyKeys(one), uses),
        )
        expect(findCopy(copyKeys(one), copyKeys(one), uses)?.kind).toBe('exact')
      }),
      proveRuns(),
    )
  })
})

describe('MinHash', () => {
  const anySet = fc.uniqueArray(fc.integer({ min: 0, max: 400 }), { minLength: 1, maxLength: 120 })
  const setOf = (numbers: readonly number[]) => new Set(numbers.map(number => `piece ${number}`))

  it('agrees in as many rows as the sets share, within what chance allows', () => {
    fc.assert(
      fc.property(anySet, anySet, (one, other) => {
        const [left, right] = [setOf(one), setOf(other)]
        const [first, second] = [signature(left), signature(right)]
        const rows = BANDS * ROWS_PER_BAND
        const agreeing = first.filter((value, row) => value === second[row]).length
        const share = jaccardPpm(left, right) / 1_000_000
        // Six standard deviations of a binomial: a wrong hash family is outside at once, chance never.
        expect(Math.abs(agreeing - rows * share)).toBeLessThanOrEqual(
          6 * Math.sqrt(rows * share * (1 - share)) + 1,
        )
      }),
      proveRuns(),
    )
  })

  it('does not depend on the order of the set', () => {
    fc.assert(
      fc.property(anySet, numbers => {
        expect(bandKeys(signature(setOf(numbers)))).toEqual(bandKeys(signature(setOf(numbers.toReversed()))))
      }),
      proveRuns(),
    )
  })

  it('gives keys that differ by band and by scope', () => {
    const minima = signature(setOf([1, 2, 3]))
    const keys = [...bandKeys(minima), ...bandKeys(minima, 'another')]
    expect(new Set(keys).size).toBe(2 * BANDS)
    for (const key of keys) expect(key).toMatch(/^[0-9a-f]{32}$/)
  })

  it('compares sets exactly', () => {
    expect(jaccardPpm(new Set(['a', 'b', 'c', 'd']), new Set(['b', 'c', 'd', 'e']))).toBe(600_000)
    expect(jaccardPpm(new Set(), new Set())).toBe(1_000_000)
    expect(jaccardPpm(new Set(['a']), new Set())).toBe(0)
  })

  it('counts repeated shingles, and frames a text with spaces', () => {
    expect([...shingles('aaa', 'characters-2')]).toEqual([' a', 'aa', 'aa#1', 'a '])
    expect([...shingles('one two', 'words-5')]).toEqual(['one two'])
    expect(shingles('please one', 'characters-2')).toEqual(shingles('one', 'characters-2'))
  })

  it('always has a kind of shingles in common for texts whose lengths differ by up to three words', () => {
    const kindsAt = (words: number): ShingleKind[] =>
      shingleKinds(Array.from({ length: words }, (_, at) => `w${at}`).join(' '))
    for (let words = 0; words < 200; words++)
      for (const more of [1, 2, 3])
        expect(kindsAt(words).some(kind => kindsAt(words + more).includes(kind))).toBe(true)
  })
})

describe('measured on 21,642 IAM actions', () => {
  // The published operating point; the figures of this seed are in docs and in the test's own bounds.
  const SAMPLE = 400

  it.each([
    ['name the action', actionRecord, 0],
    ['name the access level', levelRecord, 0.0005],
  ])(
    '"%s": honest records are refused as copies no more often than published',
    async (_task, record, published) => {
      const book = new CopyBook()
      const records = (await iamActions()).filter((_, at) => at % 4 === 0).map(record)
      const refused = records.filter(honest => book.offer(copyKeys(honest)) !== undefined)
      expect(records.length).toBeGreaterThan(5_000)
      expect(refused.length / records.length).toBeLessThanOrEqual(published)
    },
  )

  it('copies with one small change are caught in at least 95 of 100 for each kind of change', async () => {
    const random = seededRandom(11)
    const actions = await iamActions()
    const sample = Array.from({ length: SAMPLE }, () => actionRecord(pick(actions, random)))
    const book = new CopyBook()
    for (const record of sample) book.offer(copyKeys(record))
    for (const change of Object.keys(SMALL_CHANGES)) {
      const copies = sample.flatMap(record => copiedWith(change, record, random) ?? [])
      const caught = copies.filter(copy => book.find(copyKeys(copy)) !== undefined)
      expect(copies.length).toBeGreaterThan(SAMPLE * 0.9)
      expect([change, caught.length / copies.length >= 0.95]).toEqual([change, true])
    }
  })

  it('a need in other words is not a copy, although it has the same answer', async () => {
    const random = seededRandom(12)
    const actions = await iamActions()
    const findings = Array.from({ length: 300 }, () => {
      const [action, other] = [pick(actions, random), pick(actions, random)]
      return findCopy(
        copyKeys(actionRecord({ ...action, need: other.need })),
        copyKeys(actionRecord(action)),
        1,
      )
    })
    expect(findings.filter(finding => finding !== undefined)).toEqual([])
  })
})
