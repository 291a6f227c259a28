/**
 * Words and normalized text, as quality checks and copy detection count them. Written with Unicode
 * properties only (no dictionary segmentation), so that every engine of one Unicode version agrees.
 */

/** Invisible by Unicode's own list (UAX #44 Default_Ignorable_Code_Point): joiners, selectors, tags, fillers. */
const INVISIBLE = /\p{Default_Ignorable_Code_Point}+/gu
/**
 * What separates words: all that is no letter, mark, digit or symbol. Mathematical signs, currency and
 * emoji stay ("3 + 4" is not "3 - 4", "C" is not "C++"); Latin-1 and modifier accents do not.
 */
const SEPARATORS = /[^\p{L}\p{M}\p{N}\p{Sm}\p{Sc}\p{So}]+/gu
/** An operator written with a punctuation mark, told from a dash or slash in prose by the number after it. */
const OPERATOR_BEFORE_NUMBER = /([-*/^])(?=\s*\p{N})/gu
const OPERATOR_NAMES: Readonly<Record<string, string>> = { '-': '−', '*': '×', '/': '÷', '^': '↑' }
/** Scripts written without spaces: each character counts as a word, else a whole page would be one. */
const UNSPACED =
  /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Thai}\p{Script=Lao}\p{Script=Khmer}\p{Script=Myanmar}]/gu

/**
 * NFKC, lower case, invisible characters dropped, punctuation and spaces collapsed to one space. Text that
 * is nothing but punctuation is kept as it is, so that two such texts are not equal by being empty.
 * Holds after: normalizing again changes nothing.
 */
export function normalizeText(text: string): string {
  // Lower-casing can undo NFKC (U+0130 becomes i and a dot above), hence NFKC on both sides.
  const folded = text.replace(INVISIBLE, '').normalize('NFKC').toLowerCase().normalize('NFKC')
  const collapsed = folded
    .replace(OPERATOR_BEFORE_NUMBER, (_, operator: string) => ` ${OPERATOR_NAMES[operator]} `)
    .replace(SEPARATORS, ' ')
    .trim()
  return collapsed === '' ? folded.replace(/\s+/gu, ' ').trim() : collapsed
}

/** The words of a normalized text, in order; empty for an empty text. */
export function wordsOf(normalized: string): string[] {
  return normalized
    .replace(UNSPACED, ' $& ')
    .split(' ')
    .filter(word => word !== '')
}
