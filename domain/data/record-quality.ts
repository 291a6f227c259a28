/**
 * Quality of one record, at first depth: what a careful reader refuses at a glance, before any model is
 * asked. Each finding has a published price, and the score is what the prices leave:
 *
 *   scorePpm = max(0, 1_000_000 - sum of costPpm over the findings);  accepted = scorePpm >= minScorePpm
 *
 * Prices (ppm): a finding that alone refuses costs 1_000_000. `thin-instruction` costs 150_000 for each word
 * missing to 3. `repetitive` costs 1_250_000 * (repeated share - 0.2), where the repeated share is the part
 * of the word 3-grams of question and answer that occurred before, counted from 20 words up. `long-run` costs
 * 200_000 for each run of more than 40 equal letters or digits. `few-words` costs 300_000 when under a third
 * of the visible characters of the question are letters or digits. `echo` costs 200_000 when the answer
 * begins by repeating a question of 5 words or more. `damaged-text` costs 100_000 for each U+FFFD,
 * `private-use` 100_000 for each private-use character, `mixed-script` 200_000 for each place in
 * a word where Latin meets a script of look-alikes. All integer arithmetic, rounded down.
 */
import { type DataRecord, recordMessages, recordQuestion } from './record-profile.ts'
import { normalizeText, wordsOf } from './words.ts'

export type QualityCode =
  | 'empty-output'
  | 'empty-instruction'
  | 'output-equals-instruction'
  | 'too-long'
  | 'control-characters'
  | 'bidi-control'
  | 'hidden-characters'
  | 'noncharacter'
  | 'stacked-marks'
  | 'mixed-script'
  | 'private-use'
  | 'damaged-text'
  | 'repetitive'
  | 'long-run'
  | 'few-words'
  | 'thin-instruction'
  | 'echo'

export type QualityFinding = {
  readonly code: QualityCode
  readonly costPpm: number
  readonly expected: string
  readonly seen: string
}

export type RecordQuality = {
  readonly accepted: boolean
  /** 0 to 1_000_000. */
  readonly scorePpm: number
  readonly findings: readonly QualityFinding[]
}

export type QualityLimits = {
  /** Characters (UTF-16 units) of the question: all turns before the last answer. */
  readonly maxQuestionCharacters: number
  /** Characters of the last answer. */
  readonly maxAnswerCharacters: number
  /** Records below are refused. */
  readonly minScorePpm: number
}

export const QUALITY_LIMITS: QualityLimits = {
  // About 4,000 tokens of English each, which with the other half fills the longest model profile.
  maxQuestionCharacters: 16_000,
  maxAnswerCharacters: 16_000,
  // One serious finding, or several light ones, is enough to refuse.
  minScorePpm: 500_000,
}

const FULL_SCORE_PPM = 1_000_000

const MIN_QUESTION_WORDS = 3
const THIN_WORD_COST_PPM = 150_000
const REPETITION_GRAM_WORDS = 3
const REPETITION_FROM_WORDS = 20
const REPETITION_FREE_PPM = 200_000
const LONG_RUN = /([\p{L}\p{N}])\1{40,}/gu
const ECHO_FROM_WORDS = 5

/** C0 and C1 controls except tab, line feed and carriage return; terminals and log viewers obey them. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: refusing them is the purpose
const CONTROL = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f]/gu
/** Embeddings, overrides and isolates reorder what a reviewer sees ("Trojan Source", CVE-2021-42574). */
const BIDI_CONTROL = /[\u202a-\u202e\u2066-\u2069]/gu
const NONCHARACTER = /\p{Noncharacter_Code_Point}/gu
const STACKED_MARKS = /\p{M}{5,}/gu
const PRIVATE_USE = /\p{Co}/gu
const DAMAGED = /\ufffd/gu
/** Where Latin meets a script that has its twins inside a word; Greek is left out for its use in formulas. */
const MIXED_SCRIPT =
  /\p{Script=Latin}(?=[\p{Script=Cyrillic}\p{Script=Armenian}\p{Script=Cherokee}\p{Script=Lisu}])|[\p{Script=Cyrillic}\p{Script=Armenian}\p{Script=Cherokee}\p{Script=Lisu}](?=\p{Script=Latin})/gu
const RIGHT_TO_LEFT =
  /[\p{Script=Hebrew}\p{Script=Arabic}\p{Script=Syriac}\p{Script=Thaana}\p{Script=Nko}\p{Script=Adlam}]/u
/** Uses of invisible characters that a reader can see, taken out before the rest counts as hidden. */
const VISIBLE_USES: readonly RegExp[] = [
  // Subdivision flags are spelled with tag characters (UTS #51 ED-14a); elsewhere tags smuggle ASCII.
  /\u{1f3f4}[\u{e0020}-\u{e007e}]{1,6}\u{e007f}/gu,
  // Emoji sequences: presentation selectors and joiners between pictographs (UTS #51 ED-15a, ED-16).
  /(?:\p{Emoji}|\p{Emoji_Modifier})\ufe0f?\u20e3?(?:\u200d\p{Extended_Pictographic}(?:\p{Emoji_Modifier}|\ufe0f)?)*/gu,
  /[\p{Extended_Pictographic}\p{Sm}\p{So}]\ufe0e/gu,
  // One ideographic variation selector after a Han character (UTS #37).
  /\p{Script=Han}[\ufe00-\ufe02\u{e0100}-\u{e01ef}]/gu,
]
/** Joiners shape letters of these scripts (Unicode 16, chapters 9, 12 and 13). */
const JOINED =
  /(?<=[\p{Script=Arabic}\p{Script=Syriac}\p{Script=Mongolian}\p{Script=Devanagari}\p{Script=Bengali}\p{Script=Gurmukhi}\p{Script=Gujarati}\p{Script=Oriya}\p{Script=Tamil}\p{Script=Telugu}\p{Script=Kannada}\p{Script=Malayalam}\p{Script=Sinhala}\p{Script=Khmer}\p{M}])[\u200c\u200d]/gu
const MARKS_OF_DIRECTION = /[\u200e\u200f\u061c]/gu
const INVISIBLE = /\p{Default_Ignorable_Code_Point}/gu

function count(text: string, pattern: RegExp): number {
  return text.match(pattern)?.length ?? 0
}

function hiddenCharacters(text: string): number {
  let rest = VISIBLE_USES.reduce((left, use) => left.replace(use, ''), text).replace(JOINED, '')
  if (RIGHT_TO_LEFT.test(text)) rest = rest.replace(MARKS_OF_DIRECTION, '')
  return count(rest.replace(BIDI_CONTROL, ''), INVISIBLE)
}

/** Part of the word 3-grams that occurred before, in ppm; 0 below 20 words, where repetition is style. */
export function repeatedSharePpm(words: readonly string[]): number {
  const grams = words.length - REPETITION_GRAM_WORDS + 1
  if (words.length < REPETITION_FROM_WORDS) return 0
  const distinct = new Set<string>()
  for (let at = 0; at < grams; at++) distinct.add(words.slice(at, at + REPETITION_GRAM_WORDS).join(' '))
  return Math.floor(((grams - distinct.size) * FULL_SCORE_PPM) / grams)
}

/** Findings about every text of the record, hidden places such as the system prompt included. */
function characterFindings(text: string): QualityFinding[] {
  const rules: [QualityCode, number, number, string][] = [
    [
      'control-characters',
      count(text, CONTROL),
      FULL_SCORE_PPM,
      'no control characters but tab and new line',
    ],
    ['bidi-control', count(text, BIDI_CONTROL), FULL_SCORE_PPM, 'no characters that reorder text'],
    ['hidden-characters', hiddenCharacters(text), FULL_SCORE_PPM, 'no invisible characters'],
    ['noncharacter', count(text, NONCHARACTER), FULL_SCORE_PPM, 'no Unicode noncharacters'],
    ['stacked-marks', count(text, STACKED_MARKS), FULL_SCORE_PPM, 'at most 4 combining marks in a row'],
    ['mixed-script', count(text, MIXED_SCRIPT), 200_000, 'words of one script'],
    ['private-use', count(text, PRIVATE_USE), 100_000, 'no private-use characters'],
    ['damaged-text', count(text, DAMAGED), 100_000, 'no replacement characters (U+FFFD)'],
    ['long-run', count(text, LONG_RUN), 200_000, 'at most 40 equal letters in a row'],
  ]
  return rules
    .filter(([, found]) => found > 0)
    .map(([code, found, cost, expected]) => ({
      code,
      costPpm: Math.min(FULL_SCORE_PPM, found * cost),
      expected,
      seen: `${found} found`,
    }))
}

function contentFindings(record: DataRecord, limits: QualityLimits): QualityFinding[] {
  const { prompt, answer } = recordQuestion(record)
  const question = normalizeText(prompt)
  const answered = normalizeText(answer)
  const findings: QualityFinding[] = []
  const find = (code: QualityCode, costPpm: number, expected: string, seen: string) =>
    findings.push({ code, costPpm: Math.min(FULL_SCORE_PPM, costPpm), expected, seen })

  if (question === '') find('empty-instruction', FULL_SCORE_PPM, 'a question or task', 'nothing to read')
  if (answered === '') find('empty-output', FULL_SCORE_PPM, 'an answer', 'nothing to read')
  if (prompt.length > limits.maxQuestionCharacters)
    find(
      'too-long',
      FULL_SCORE_PPM,
      `a question of at most ${limits.maxQuestionCharacters} characters`,
      `${prompt.length}`,
    )
  if (answer.length > limits.maxAnswerCharacters)
    find(
      'too-long',
      FULL_SCORE_PPM,
      `an answer of at most ${limits.maxAnswerCharacters} characters`,
      `${answer.length}`,
    )
  if (findings.length > 0) return findings

  if (question === answered)
    find(
      'output-equals-instruction',
      FULL_SCORE_PPM,
      'an answer that differs from the question',
      'the same text',
    )
  const questionWords = wordsOf(question)
  const missing = MIN_QUESTION_WORDS - questionWords.length
  if (missing > 0)
    find(
      'thin-instruction',
      missing * THIN_WORD_COST_PPM,
      `${MIN_QUESTION_WORDS} words or more`,
      `${questionWords.length}`,
    )
  const visible = prompt.replace(/\s/gu, '').length
  if (count(prompt, /[\p{L}\p{M}\p{N}]/gu) * 3 < visible)
    find('few-words', 300_000, 'a question that is a third letters or digits', 'mostly other signs')
  if (
    question !== answered &&
    questionWords.length >= ECHO_FROM_WORDS &&
    `${answered} `.startsWith(`${question} `)
  )
    find('echo', 200_000, 'an answer that does not begin with the question', 'the question repeated')
  const repeatedPpm = repeatedSharePpm([...questionWords, ...wordsOf(answered)])
  if (repeatedPpm > REPETITION_FREE_PPM)
    find(
      'repetitive',
      Math.floor(((repeatedPpm - REPETITION_FREE_PPM) * 5) / 4),
      `at most ${REPETITION_FREE_PPM} ppm of repeated word triples`,
      `${repeatedPpm} ppm`,
    )
  return findings
}

/** Score and findings of one record by the formula above. Never throws; linear in the record's length. */
export function recordQuality(record: DataRecord, limits: QualityLimits = QUALITY_LIMITS): RecordQuality {
  const everyText = [record.group, ...recordMessages(record).map(message => message.content)].join('\n')
  const findings = [...characterFindings(everyText), ...contentFindings(record, limits)]
  const cost = findings.reduce((sum, finding) => sum + finding.costPpm, 0)
  const scorePpm = Math.max(0, FULL_SCORE_PPM - cost)
  return { accepted: scorePpm >= limits.minScorePpm, scorePpm, findings }
}
