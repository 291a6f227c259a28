/**
 * Makes `transformers serve` speak as the vLLM container does that serves the model on AWS, so that a caller
 * meets one behavior in both places. The differences that this closes, seen in transformers 5.23:
 *
 * - it refuses a `model` that is not its own path, and answers with that path;
 * - a `temperature` above zero changes nothing unless the saved generation config says `do_sample`;
 * - `top_k`, `min_p` and `repetition_penalty` are refused as unknown;
 * - a stream ends without `data: [DONE]`, and sends its usage in the last choice whether asked or not, where
 *   vLLM sends it in a chunk of its own when `stream_options.include_usage` asks for it.
 */

/** Sampling parameters of vLLM that transformers takes only inside a generation config. */
const GENERATION_FIELDS = ['top_k', 'min_p', 'repetition_penalty'] as const

/** transformers' own least budget of a completion when the request names none. */
const DEFAULT_MAX_NEW_TOKENS = 1024

export type ChatRequest = {
  body: Record<string, unknown>
  /** What the caller called the model, which it hears back. */
  model: string
  stream: boolean
  includeUsage: boolean
}

/** Undefined unless `bytes` are a JSON object. */
export function parseChatRequest(bytes: Uint8Array, servedName: string): ChatRequest | undefined {
  let body: unknown
  try {
    body = JSON.parse(Buffer.from(bytes).toString('utf8'))
  } catch {
    return undefined
  }
  if (typeof body !== 'object' || body === null || Array.isArray(body)) return undefined
  const fields = body as Record<string, unknown>
  const options = fields.stream_options as { include_usage?: unknown } | undefined | null
  return {
    body: fields,
    model: typeof fields.model === 'string' && fields.model !== '' ? fields.model : servedName,
    stream: fields.stream === true,
    includeUsage: options?.include_usage === true,
  }
}

/** The request as transformers takes it; `generationConfig` is the model's saved one. */
export function containerBody(
  request: ChatRequest,
  generationConfig: Record<string, unknown>,
): Record<string, unknown> {
  const { model: _model, stream_options: _options, ...body } = request.body
  const temperature = body.temperature ?? generationConfig.temperature ?? 1
  const wanted: Record<string, unknown> = {
    max_new_tokens: DEFAULT_MAX_NEW_TOKENS,
    ...generationConfig,
    do_sample: temperature !== 0,
  }
  if (temperature === 0) {
    // Sampling settings beside greedy decoding only make transformers warn.
    for (const field of ['temperature', 'top_p', 'top_k', 'min_p']) delete wanted[field]
    delete body.temperature
    delete body.top_p
  } else {
    wanted.temperature = temperature
    // transformers' default of 50 is not vLLM's: all tokens may be drawn.
    wanted.top_k = body.top_k ?? generationConfig.top_k ?? 0
    if (body.min_p !== undefined) wanted.min_p = body.min_p
  }
  if (body.repetition_penalty !== undefined) wanted.repetition_penalty = body.repetition_penalty
  for (const field of GENERATION_FIELDS) delete body[field]
  return { ...body, generation_config: JSON.stringify(wanted) }
}

/** A whole answer as vLLM would give it. */
export function callerAnswer(answer: unknown, request: ChatRequest): unknown {
  return typeof answer === 'object' && answer !== null ? { ...answer, model: request.model } : answer
}

/** Turns the container's server-sent events into vLLM's, each as soon as it is whole. */
export function createStreamRewriter(request: ChatRequest): {
  push(bytes: Uint8Array): string
  end(): string
} {
  const decoder = new TextDecoder()
  let rest = ''
  let done = false
  return {
    push(bytes) {
      rest += decoder.decode(bytes, { stream: true })
      let out = ''
      for (let at = rest.indexOf('\n\n'); at >= 0; at = rest.indexOf('\n\n')) {
        out += rewriteEvent(rest.slice(0, at))
        rest = rest.slice(at + 2)
      }
      return out
    },
    end() {
      const last = rest.trim() === '' ? '' : rewriteEvent(rest)
      return done ? last : `${last}data: [DONE]\n\n`
    },
  }

  function rewriteEvent(event: string): string {
    const data = event.startsWith('data: ') ? event.slice('data: '.length) : undefined
    if (data === '[DONE]') {
      done = true
      return `${event}\n\n`
    }
    const chunk = data === undefined ? undefined : parseObject(data)
    if (chunk === undefined || !Array.isArray(chunk.choices)) return `${event}\n\n`
    const { usage, ...visible } = { ...chunk, model: request.model } as Record<string, unknown>
    const shown = `data: ${JSON.stringify(visible)}\n\n`
    if (usage === undefined || !request.includeUsage) return shown
    return `${shown}data: ${JSON.stringify({ ...visible, choices: [], usage })}\n\n`
  }
}

function parseObject(text: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : undefined
  } catch {
    return undefined
  }
}
