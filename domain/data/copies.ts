/**
 * Copies within a Datanet: exact (the same canonical record), normalized (the same text but for case,
 * punctuation, spaces and invisible characters) and near (small changes such as a copier makes).
 *
 * A near copy is found by MinHash (Broder 1997) in 14 bands of 8 rows (candidates with Jaccard J meet with
 * probability 1 - (1 - J^8)^14: 0.92 at 0.8, 0.9996 at 0.9) and confirmed by the true Jaccard >= 0.8.
 * What is compared is the question with the answer; the system prompt is left out, since whole Datanets
 * share one and changing it is no work of one's own.
 *
 * Alike is not copied: honest rows follow templates ("create a user group", "create a user pool"). So a
 * near copy must also give the same answer. A short answer has to be equal by `answerKey`; a long one has
 * to be near itself. And where short answers are labels shared by many rows ("yes", "Read"), an equal
 * answer says nothing: there a near copy must consist of the same words, in any order.
 *
 * Not stopped here: translation, rewriting of whole sentences, a reworded short answer, synonyms in rows whose answers are labels,
 * and edits chosen with these published hash functions in mind (about ten well-chosen words of a hundred).
 */
import { canonicalJson } from '../protocol/canonical-json.ts'
import type { Sha256Hex } from '../protocol/hex.ts'
import { sha256Hex } from '../protocol/ids.ts'
import { type DataRecord, recordQuestion } from './record-profile.ts'
import { normalizeText, wordsOf } from './words.ts'

export const BANDS = 14
export const ROWS_PER_BAND = 8
/** Confirmed near copies have at least this true Jaccard similarity of shingles. */
const NEAR_COPY_JACCARD_PPM = 800_000
/** Answers of at most this many words must be equal; longer ones must be near. */
const SHORT_ANSWER_WORDS = 8
/** A short answer that this many accepted rows already give is a label, and no sign of a copy. */
export const LABEL_FROM_USES = 4

export type ShingleKind = 'characters-2' | 'characters-5' | 'words-5'

/**
 * Which shingles a text of so many words gets. The ranges overlap, so that adding a word never moves a copy
 * out of its original's comparison. Chosen by measuring: of one-word changes to IAM actions (median 10
 * words) 98 % stay above 0.8 with pairs of characters, 80 % with character 5-grams; from 120 words up word
 * 5-grams keep 99 % of texts with three changes and tell unrelated texts apart best.
 */
const SHINGLE_TIERS: readonly { kind: ShingleKind; fromWords: number; toWords: number }[] = [
  { kind: 'characters-2', fromWords: 0, toWords: 34 },
  { kind: 'characters-5', fromWords: 28, toWords: 132 },
  { kind: 'words-5', fromWords: 118, toWords: Number.POSITIVE_INFINITY },
]

/** Words of politeness that a copier adds or drops for nothing; they are not compared. English only. */
const FILLERS = new Set(['please', 'kindly', 'pls', 'thanks'])

/** A remark in brackets at the end of an answer, such as "(Write)", is style and not part of the answer. */
function answerProper(answer: string): string {
  const firstLine = answer.trim().split('\n', 1)[0] ?? ''
  const isOneLine = firstLine.length === answer.trim().length
  const proper = answer.replace(/\s\([^()]*\)[\s.]*$/u, '')
  return isOneLine && normalizeText(proper) !== '' ? proper : answer
}

/** Question and answer without style: two records with the same text are normalized copies. */
export function normalizedText(record: DataRecord): string {
  const { prompt, answer } = recordQuestion(record)
  // A line feed cannot occur in normalized text, so no other cut into question and answer gives the same.
  return `${normalizeText(prompt)}\n${normalizeText(answerProper(answer))}`
}

/** The answer without style: what two short near copies must share. */
function answerKey(record: DataRecord): string {
  return normalizeText(answerProper(recordQuestion(record).answer))
}

function comparedWords(normalized: string): string[] {
  return normalized
    .split('\n')
    .flatMap(wordsOf)
    .filter(word => !FILLERS.has(word))
}

/** The kinds of shingles by which a normalized text is indexed: one, or two where ranges overlap. */
export function shingleKinds(normalized: string): ShingleKind[] {
  const length = comparedWords(normalized).length
  return SHINGLE_TIERS.filter(tier => tier.fromWords <= length && length <= tier.toWords).map(
    tier => tier.kind,
  )
}

/**
 * The set of shingles of a normalized text. Repeated pieces are told apart by their number of occurrence
 * (so the set counts them), and spaces frame the text, so that its first and last words weigh as the rest.
 */
export function shingles(normalized: string, kind: ShingleKind): ReadonlySet<string> {
  const words = comparedWords(normalized)
  const units = kind === 'words-5' ? words : [...` ${words.join(' ')} `]
  const size = kind === 'characters-2' ? 2 : 5
  const glue = kind === 'words-5' ? ' ' : ''
  const seen = new Map<string, number>()
  const set = new Set<string>()
  for (let at = 0; at + size <= units.length; at++) {
    const piece = units.slice(at, at + size).join(glue)
    const occurrence = seen.get(piece) ?? 0
    seen.set(piece, occurrence + 1)
    set.add(occurrence === 0 ? piece : `${piece}#${occurrence}`)
  }
  // A text too short for one shingle is its own only shingle.
  if (set.size === 0) set.add(units.join(glue))
  return set
}

/** Shared part of two sets, in ppm rounded down: 1_000_000 * |A and B| / |A or B|; of two empty sets 1_000_000. */
export function jaccardPpm(left: ReadonlySet<string>, right: ReadonlySet<string>): number {
  const [small, large] = left.size <= right.size ? [left, right] : [right, left]
  let shared = 0
  for (const piece of small) if (large.has(piece)) shared++
  const all = left.size + right.size - shared
  return all === 0 ? 1_000_000 : Math.floor((shared * 1_000_000) / all)
}

// A global that is looked up 64,000 times a record is slow where a sandbox stands before the globals.
const { imul } = Math

/** Final mix of MurmurHash3 (Appleby, public domain): a bijection of 32 bits in which every bit moves every other. */
function mix(value: number): number {
  let hash = value
  hash = imul(hash ^ (hash >>> 16), 0x85ebca6b)
  hash = imul(hash ^ (hash >>> 13), 0xc2b2ae35)
  return (hash ^ (hash >>> 16)) >>> 0
}

/** FNV-1a (Fowler, Noll and Vo) over UTF-16 code units, 32 bits. */
function hashText(text: string): number {
  let hash = 0x811c9dc5
  for (let at = 0; at < text.length; at++) hash = imul(hash ^ text.charCodeAt(at), 0x01000193)
  return hash >>> 0
}

/** One bijection per row: x -> mix(x xor seed); seeds are the mixed multiples of 2^32 / golden ratio. */
const ROW_SEEDS = Uint32Array.from({ length: BANDS * ROWS_PER_BAND }, (_, row) =>
  mix(imul(0x9e3779b9, row + 1)),
)

/** MinHash signature: 112 unsigned 32-bit minima, in row order. Two sets agree in a row with probability J. */
export function signature(set: ReadonlySet<string>): Uint32Array {
  const minima = new Uint32Array(ROW_SEEDS.length).fill(0xffffffff)
  for (const piece of set) {
    const hash = hashText(piece)
    for (let row = 0; row < minima.length; row++) {
      const value = mix(hash ^ ROW_SEEDS[row]!)
      if (value < minima[row]!) minima[row] = value
    }
  }
  return minima
}

/**
 * 14 keys of 32 hex digits that the store indexes; records that share one are candidates. `scope` goes into
 * the keys: records of different scopes (kind of shingle, short answer) can never be near copies, and a
 * popular template fills no bucket.
 */
export function bandKeys(minima: Uint32Array, scope = ''): string[] {
  return Array.from({ length: BANDS }, (_, band) => {
    const rows = minima.subarray(band * ROWS_PER_BAND, (band + 1) * ROWS_PER_BAND)
    return sha256Hex(`${band}\n${[...rows].join(' ')}\n${scope}`).slice(0, 32)
  })
}

/** All that intake keeps of a record to find its copies; recomputable from the record. */
export type CopyKeys = {
  /** SHA-256 of the canonical record. */
  readonly exact: Sha256Hex
  /** SHA-256 of `normalizedText`. */
  readonly normalized: Sha256Hex
  /** SHA-256 of `answerKey`, by which the store counts how many accepted rows give this answer. */
  readonly answer: Sha256Hex
  readonly isShortAnswer: boolean
  /** `normalizedText`: question, line feed, answer. Needed to confirm a candidate. */
  readonly text: string
  /** What the store indexes: 14 keys, or 28 where two kinds of shingles apply. */
  readonly bands: readonly string[]
}

/** The copy keys of one record. */
export function copyKeys(record: DataRecord): CopyKeys {
  const text = normalizedText(record)
  const answer = answerKey(record)
  const isShortAnswer = wordsOf(answer).length <= SHORT_ANSWER_WORDS
  return {
    exact: sha256Hex(canonicalJson(record)),
    normalized: sha256Hex(text),
    answer: sha256Hex(answer),
    isShortAnswer,
    text,
    bands: shingleKinds(text).flatMap(kind =>
      bandKeys(signature(shingles(text, kind)), `${kind}\n${isShortAnswer ? answer : ''}`),
    ),
  }
}

function nearPpm(left: string, right: string): number {
  const kinds = shingleKinds(right)
  const shared = shingleKinds(left).filter(kind => kinds.includes(kind))
  return Math.max(0, ...shared.map(kind => jaccardPpm(shingles(left, kind), shingles(right, kind))))
}

function sameWords(left: string, right: string): boolean {
  return comparedWords(left).sort().join(' ') === comparedWords(right).sort().join(' ')
}

export type CopyFinding = { readonly kind: 'exact' | 'normalized' | 'near'; readonly similarityPpm: number }

/**
 * Whether `later` copies `earlier`, and how. Symmetric; the store decides which of the two was first.
 * @param answerUses how many accepted rows of the Datanet give `later`'s answer (`CopyKeys.answer`)
 */
export function findCopy(later: CopyKeys, earlier: CopyKeys, answerUses: number): CopyFinding | undefined {
  if (later.exact === earlier.exact) return { kind: 'exact', similarityPpm: 1_000_000 }
  if (later.normalized === earlier.normalized) return { kind: 'normalized', similarityPpm: 1_000_000 }
  if (later.isShortAnswer !== earlier.isShortAnswer) return undefined
  if (later.isShortAnswer && later.answer !== earlier.answer) return undefined
  const similarityPpm = nearPpm(later.text, earlier.text)
  if (similarityPpm < NEAR_COPY_JACCARD_PPM) return undefined
  if (later.isShortAnswer) {
    if (answerUses >= LABEL_FROM_USES && !sameWords(later.text, earlier.text)) return undefined
  } else {
    const [, laterAnswer = ''] = later.text.split('\n')
    const [, earlierAnswer = ''] = earlier.text.split('\n')
    if (nearPpm(laterAnswer, earlierAnswer) < NEAR_COPY_JACCARD_PPM) return undefined
  }
  return { kind: 'near', similarityPpm }
}
