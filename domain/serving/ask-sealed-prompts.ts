import * as z from 'zod'
import { chatCompletionAnswer } from '../../api/schemas/serving.ts'
import type { Lineage } from '../../api/schemas/training.ts'
import { OpenLedgerError } from '../errors.ts'
import type { GradedAnswer } from '../training/answers.ts'
import type { ModelTarget, ServedModel } from './ports.ts'

/** Enough to see wrong weights or a wrong chat template, which change every answer. */
const PROMPTS = 5
/**
 * How many must be the same. One may differ: the evaluation asks many prompts at once, padded, and serving one,
 * so sums are rounded in another order and a near tie can fall the other way.
 */
const MUST_AGREE = 4

const sealedItem = z.object({
  id: z.string(),
  messages: z.array(z.object({ role: z.enum(['system', 'user', 'assistant']), content: z.string() })).min(1),
})
export type SealedPrompt = z.infer<typeof sealedItem>

export type SmokeTest = {
  readonly asked: number
  readonly agreed: number
  readonly passed: boolean
  readonly differing: readonly string[]
}

/**
 * Asks the served version some prompts of the sealed set at temperature 0 and compares the first line of each
 * answer with what the evaluation of these weights wrote down. The prompts are spread over the set.
 * @throws OpenLedgerError not-found when the evaluation has no answers to these prompts; model-waking while the
 * container is not ready
 */
export async function askSealedPrompts(
  deps: { readonly model: ServedModel },
  input: {
    target: ModelTarget
    model: string
    prompts: readonly SealedPrompt[]
    /** The evaluation's answers of this version, by item. */
    answers: ReadonlyMap<string, string>
    maxTokens: number
    signal: AbortSignal
  },
): Promise<SmokeTest> {
  const asked = spread(input.prompts.filter(({ id }) => input.answers.has(id)))
  if (asked.length === 0) {
    throw new OpenLedgerError('not-found', 'The evaluation has no answers to the sealed prompts', {
      expected: 'answers.jsonl of the evaluation that the lineage names, over this sealed set',
      seen: `${input.answers.size} answers, ${input.prompts.length} prompts`,
    })
  }
  const differing: string[] = []
  for (const { id, messages } of asked) {
    const request = { model: input.model, messages, temperature: 0, max_tokens: input.maxTokens }
    const answer = chatCompletionAnswer.parse(await deps.model.ask(input.target, request, input.signal))
    if (firstLine(answer.choices[0]?.message.content ?? '') !== firstLine(input.answers.get(id) ?? ''))
      differing.push(id)
  }
  const agreed = asked.length - differing.length
  return { asked: asked.length, agreed, passed: agreed >= Math.min(MUST_AGREE, asked.length), differing }
}

/** @throws OpenLedgerError not-found, malformed */
export function parseSealedSet(bytes: Uint8Array | null, key: string): SealedPrompt[] {
  if (bytes === null)
    throw new OpenLedgerError('not-found', 'The sealed set is not in the artifact bucket', { expected: key })
  const lines = new TextDecoder()
    .decode(bytes)
    .split('\n')
    .filter(line => line.trim() !== '')
  return lines.map((line, index) => {
    const item = sealedItem.safeParse(JSON.parse(line))
    if (item.success) return item.data
    throw new OpenLedgerError('malformed', 'An item of the sealed set has another shape', {
      seen: `line ${index + 1} of ${key}`,
    })
  })
}

/** An evaluation's names for the model that a run made; the others are what it was compared with. */
const OWN_SYSTEMS: readonly string[] = ['tuned', 'aligned']

/** Where the answers lie that the evaluation of a version wrote down. @throws OpenLedgerError not-found */
export function evaluationKey({ jobs, runId }: Pick<Lineage, 'jobs' | 'runId'>): string {
  const job = jobs.findLast(({ program }) => program === 'evaluate')
  if (job !== undefined) return `runs/${runId}/${job.name}/output/model/answers.jsonl`
  throw new OpenLedgerError('not-found', 'The version was made without an evaluation', {
    expected: 'a job of the program evaluate in its lineage',
  })
}

/** The version's own answers, by item. */
export function ownAnswers(answers: readonly GradedAnswer[]): ReadonlyMap<string, string> {
  return new Map(
    answers.filter(({ system }) => OWN_SYSTEMS.includes(system)).map(({ id, answer }) => [id, answer]),
  )
}

function spread<T>(items: readonly T[]): T[] {
  const count = Math.min(PROMPTS, items.length)
  return Array.from({ length: count }, (_, at) => items[Math.floor((at * items.length) / count)]!)
}

/** Evaluations may stop at the first line break, where a served model goes on. */
function firstLine(text: string): string {
  return text.trim().split('\n')[0]?.trim() ?? ''
}
