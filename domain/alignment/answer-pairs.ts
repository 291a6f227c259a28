import * as z from 'zod'
import { OpenLedgerError } from '../errors.ts'
import { documentDigest } from '../protocol/ids.ts'
import type { AnswerPair } from './ports.ts'
import { CHOICES, type QUESTIONS } from './verdicts.ts'

const messages = z.array(z.object({ role: z.string(), content: z.string() })).min(1)
const choice = z.enum(CHOICES)
const promptLine = z.object({
  id: z.string(),
  messages,
  group: z.string().optional(),
  /** In which round the prompt is used: one never judges what it taught. */
  round: z.union([z.literal(1), z.literal(2)]),
})
export type Prompt = z.infer<typeof promptLine>
const goldLine = z.object({
  id: z.string(),
  messages,
  a: z.string(),
  b: z.string(),
  truth: z.object({ ethics: choice, logic: choice, function: choice } satisfies Record<
    (typeof QUESTIONS)[number],
    typeof choice
  >),
})
const answersLine = z.object({ id: z.string(), answers: z.array(z.string()) })

/** Lines of a JSONL file. @throws OpenLedgerError malformed with the first line that is wrong */
function lines<T>(schema: z.ZodType<T>, bytes: Uint8Array | null, where: string): T[] {
  if (bytes === null)
    throw new OpenLedgerError('not-found', 'A file of the round is missing', { expected: where })
  return new TextDecoder()
    .decode(bytes)
    .split('\n')
    .filter(line => line !== '')
    .map((line, index) => {
      const parsed = schema.safeParse(JSON.parse(line))
      if (parsed.success) return parsed.data
      throw new OpenLedgerError('malformed', 'A line of the file is not as promised', {
        expected: parsed.error.issues[0]?.message ?? 'another shape',
        seen: `line ${index + 1} of ${where}`,
      })
    })
}

export const parsePrompts = (bytes: Uint8Array | null, where: string) => lines(promptLine, bytes, where)
export const parseAnswers = (bytes: Uint8Array | null, where: string) =>
  new Map(lines(answersLine, bytes, where).map(line => [line.id, line.answers]))

/** Pairs whose better answer is known by rule, to measure validators with. */
export function parseGoldPairs(bytes: Uint8Array | null, where: string): AnswerPair[] {
  return lines(goldLine, bytes, where).map(({ id, ...pair }) => ({
    ...pair,
    pairId: pairIdOf({ id, ...pair }),
  }))
}

/** Says nothing about gold or order: the hash of prompt and answers. */
function pairIdOf(pair: { id: string; a: string; b: string }): string {
  return documentDigest({ id: pair.id, a: pair.a, b: pair.b })
}

/** The first two different answers to each prompt; a prompt whose answers are all equal teaches nothing. */
export function pairsWithin(
  prompts: readonly Prompt[],
  answers: ReadonlyMap<string, readonly string[]>,
): AnswerPair[] {
  return prompts.flatMap(prompt => {
    const [a, b] = [...new Set((answers.get(prompt.id) ?? []).map(answer => answer.trim()))]
    if (a === undefined || b === undefined) return []
    return [{ pairId: pairIdOf({ id: prompt.id, a, b }), messages: prompt.messages, a, b, truth: null }]
  })
}

/** The parent's answer (a) beside the candidate's (b); equal answers need no judge and count as a tie. */
export function pairsBetween(
  prompts: readonly Prompt[],
  parent: ReadonlyMap<string, readonly string[]>,
  candidate: ReadonlyMap<string, readonly string[]>,
): { pairs: AnswerPair[]; equal: AnswerPair[] } {
  const both = prompts.flatMap(prompt => {
    const a = parent.get(prompt.id)?.[0]?.trim()
    const b = candidate.get(prompt.id)?.[0]?.trim()
    if (a === undefined || b === undefined) return []
    return [{ pairId: pairIdOf({ id: prompt.id, a, b }), messages: prompt.messages, a, b, truth: null }]
  })
  return { pairs: both.filter(pair => pair.a !== pair.b), equal: both.filter(pair => pair.a === pair.b) }
}
