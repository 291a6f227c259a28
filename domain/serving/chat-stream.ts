import {
  type ChatCompletion,
  type ChatCompletionChunk,
  type ChatUsage,
  chatCompletionChunk,
} from '../../api/schemas/serving.ts'
import { OpenLedgerError } from '../errors.ts'
import { leastTokens, type Tokens } from './price.ts'

/** One server-sent event. */
export const sentEvent = (data: unknown) =>
  `data: ${typeof data === 'string' ? data : JSON.stringify(data)}\n\n`
export const DONE = '[DONE]'

/**
 * One event of the model as a chunk; null for the end mark.
 * @throws OpenLedgerError unavailable when the model says that it failed, or something else than a chunk
 */
export function chunkOf(event: string): ChatCompletionChunk | null {
  if (event === DONE) return null
  const parsed = chatCompletionChunk.safeParse(jsonOrNull(event))
  if (parsed.success) return parsed.data
  throw new OpenLedgerError('unavailable', 'The model failed in the middle of the answer', {
    expected: 'a chat completion chunk',
    seen: parsed.error.issues[0]?.path.join('.') ?? 'another shape',
  })
}

/** What the caller sees of a chunk: the alias and our request id; usage comes once, at the end, when asked for. */
export function publicChunk(
  chunk: ChatCompletionChunk,
  names: { id: string; model: string },
): ChatCompletionChunk {
  const { usage: _, ...rest } = chunk
  return { ...rest, ...names }
}

/** The last chunk of an answer whose request has `stream_options.include_usage`. */
export function usageChunk(
  names: { id: string; model: string },
  createdSeconds: number,
  usage: ChatUsage,
): ChatCompletionChunk {
  return { ...names, object: 'chat.completion.chunk', created: createdSeconds, choices: [], usage }
}

/** Counts while an answer goes by: the model's own count where it has come, else pieces of text. */
export function answerCount(request: ChatCompletion) {
  let pieces = 0
  let counted: Tokens | null = null
  return {
    see(chunk: ChatCompletionChunk) {
      if (chunk.choices.some(({ delta }) => (delta.content ?? '') !== '')) pieces += 1
      if (chunk.usage) {
        counted = { promptTokens: chunk.usage.prompt_tokens, completionTokens: chunk.usage.completion_tokens }
      }
    },
    /** `estimated` when the model's count is not there, or older than what was sent since. */
    result(): Tokens & { estimated: boolean } {
      if (counted !== null) return { ...counted, estimated: false }
      return { ...leastTokens(request, pieces), estimated: true }
    },
  }
}

function jsonOrNull(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return null
  }
}
