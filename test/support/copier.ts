/** What a lazy copier does to a record: one small change that keeps its meaning. */
import type { InstructionRecord } from '../../domain/data/record-profile.ts'

/** Numbers in [0, 1) from a seed (mulberry32), so that a figure can be measured again. */
export function seededRandom(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let hash = Math.imul(state ^ (state >>> 15), state | 1)
    hash ^= hash + Math.imul(hash ^ (hash >>> 7), hash | 61)
    return ((hash ^ (hash >>> 14)) >>> 0) / 2 ** 32
  }
}

export function pick<T>(items: readonly T[], random: () => number): T {
  return items[Math.floor(random() * items.length)]!
}

const SYNONYMS: Readonly<Record<string, string>> = {
  retrieve: 'get',
  get: 'fetch',
  list: 'show',
  create: 'make',
  delete: 'remove',
  remove: 'delete',
  update: 'change',
  modify: 'change',
  describe: 'show',
  view: 'see',
  return: 'give',
  specified: 'given',
  information: 'details',
  configuration: 'settings',
  associated: 'linked',
  associate: 'link',
  multiple: 'several',
  start: 'begin',
  stop: 'end',
  existing: 'present',
  all: 'every',
  grant: 'give',
  enable: 'activate',
  new: 'fresh',
  tags: 'labels',
  a: 'one',
  an: 'one',
  the: 'this',
}

type Change = (text: string, random: () => number) => string | undefined

/** Each returns undefined where it does not apply to the text. */
export const SMALL_CHANGES: Readonly<Record<string, Change>> = {
  'another case': (text, random) =>
    pick(
      [text.toUpperCase(), text.toLowerCase(), text.replace(/\b\w/g, letter => letter.toUpperCase())],
      random,
    ),
  'a synonym of one word': (text, random) => {
    const words = text.split(' ')
    const known = words.flatMap((word, at) => (SYNONYMS[word.toLowerCase()] === undefined ? [] : [at]))
    if (known.length === 0) return undefined
    const at = pick(known, random)
    words[at] = SYNONYMS[words[at]!.toLowerCase()]!
    return words.join(' ')
  },
  'an added please': (text, random) => (random() < 0.5 ? `please ${text}` : `${text}, please`),
  'other punctuation': (text, random) =>
    text.replace(/ /g, space => (random() < 0.2 ? ', ' : space)) + pick(['.', '!', '?', ' ...'], random),
  'two words swapped': (text, random) => {
    const words = text.split(' ')
    if (words.length < 2) return undefined
    const at = Math.floor(random() * (words.length - 1))
    const [left, right] = [words[at]!, words[at + 1]!]
    words.splice(at, 2, right, left)
    return words.join(' ')
  },
}

/** The record with one kind of small change to its instruction; undefined where the change does not apply. */
export function copiedWith(
  change: keyof typeof SMALL_CHANGES,
  record: InstructionRecord,
  random: () => number,
): InstructionRecord | undefined {
  const instruction = SMALL_CHANGES[change]!(record.instruction, random)
  return instruction === undefined || instruction === record.instruction
    ? undefined
    : { ...record, instruction }
}
