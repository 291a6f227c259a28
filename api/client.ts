import * as z from 'zod'
import { type OperationId, type Route, routes } from './routes.ts'
import { problem } from './schemas/common.ts'
import { type ChatCompletionChunk, chatCompletionChunk, chatFailure } from './schemas/serving.ts'
import { eventReader } from './server-sent-events.ts'

/**
 * The typed client of a deployment, made of the same table that the gateway is made of. Runs wherever there is
 * `fetch`: Node, browsers, Lambdas. Requests are checked by the service, answers by the client.
 */

type Routes = typeof routes
type Path<R> = R extends { readonly params: infer S extends z.ZodType }
  ? { readonly params: z.input<S> }
  : object
type Query<R> = R extends { readonly query: infer S extends z.ZodType }
  ? { readonly query?: z.input<S> }
  : object
type Body<R> = R extends { readonly body: infer S extends z.ZodType } ? { readonly body: z.input<S> } : object

/** What a call needs: `params`, `query` and `body` where the route has them. */
export type CallInput<O extends OperationId> = Path<Routes[O]> &
  Query<Routes[O]> &
  Body<Routes[O]> &
  CallOptions
/** The bytes of the file for a route that redirects to one, else the parsed JSON. */
export type CallOutput<O extends OperationId> =
  z.output<Routes[O]['response']> extends null ? Uint8Array<ArrayBuffer> : z.output<Routes[O]['response']>
export type CallOptions = { readonly signal?: AbortSignal }
type CallArguments<O extends OperationId> =
  object extends CallInput<O> ? [input?: CallInput<O>] : [input: CallInput<O>]

export type ChatInput = Omit<CallInput<'createChatCompletion'>['body'], 'stream'>

export type Client = {
  readonly baseUrl: string
  /**
   * Calls one operation of the interface.
   * @throws ApiError for every answer that is not a success, and when there is no answer at all
   */
  call<O extends OperationId>(operation: O, ...input: CallArguments<O>): Promise<CallOutput<O>>
  /**
   * A chat completion chunk by chunk, as the model makes it. Leaving the loop early ends the answer, and only
   * what was made until then is charged.
   * @throws ApiError, also in the middle of the answer
   */
  streamChat(body: ChatInput, options?: CallOptions): AsyncGenerator<ChatCompletionChunk, void, undefined>
}

export type ClientOptions = {
  /** Everything before `/v1`, such as `http://127.0.0.1:8080`. */
  readonly baseUrl: string
  /** @default the global fetch */
  readonly fetch?: typeof fetch
  /** Sent as bearer token on the routes that take a key, and on no other. */
  readonly apiKey?: string
  /** Whole requests; a streamed answer only has to begin in this time. @default 60,000 */
  readonly timeoutMs?: number
}

/** A cold function, a chain that has to finalize a block and a slow line together stay far below. */
const DEFAULT_TIMEOUT_MS = 60_000
/** What the service itself allows a model for one answer. */
const MODEL_TIMEOUT_MS = 900_000

/**
 * A refusal of the service (RFC 9457, or OpenAI's error object under the model routes), or no usable answer:
 * code `unreachable` with status 0, and code `unexpected-answer`.
 */
export class ApiError extends Error {
  override readonly name = 'ApiError'
  readonly operation: OperationId
  readonly status: number
  readonly code: string
  readonly title: string
  readonly expected: string | undefined
  readonly seen: string | undefined
  readonly retryAfterSeconds: number | undefined

  constructor(
    operation: OperationId,
    facts: {
      status: number
      code: string
      title: string
      detail: string
      expected?: string | undefined
      seen?: string | undefined
      retryAfterSeconds?: number | undefined
      cause?: unknown
    },
  ) {
    super(facts.detail, facts.cause === undefined ? undefined : { cause: facts.cause })
    this.operation = operation
    this.status = facts.status
    this.code = facts.code
    this.title = facts.title
    this.expected = facts.expected
    this.seen = facts.seen
    this.retryAfterSeconds = facts.retryAfterSeconds
  }
}

/** Makes a client; nothing is sent until the first call. */
export function createClient(options: ClientOptions): Client {
  const baseUrl = options.baseUrl.replace(/\/+$/, '')
  const send = (operation: OperationId, input: AnyInput, timeoutMs: number, accept: string) =>
    sent(operation, {
      fetch: options.fetch ?? fetch,
      url: `${baseUrl}${pathOf(operation, input.params)}${queryOf(input.query)}`,
      headers: {
        accept,
        ...(input.body === undefined ? {} : { 'content-type': 'application/json' }),
        ...(options.apiKey === undefined || routes[operation].auth !== 'key'
          ? {}
          : { authorization: `Bearer ${options.apiKey}` }),
      },
      body: input.body === undefined ? undefined : JSON.stringify(input.body),
      timeoutMs,
      signal: input.signal,
    })

  return {
    baseUrl,

    async call<O extends OperationId>(operation: O, ...[input]: CallArguments<O>) {
      const route: Route = routes[operation]
      const timeoutMs = options.timeoutMs ?? (route.streamed ? MODEL_TIMEOUT_MS : DEFAULT_TIMEOUT_MS)
      const accept = route.response instanceof z.ZodNull ? '*/*' : 'application/json'
      const { response, release } = await send(operation, { ...input }, timeoutMs, accept)
      try {
        return (await bodyOf(operation, response)) as CallOutput<O>
      } finally {
        release()
      }
    },

    async *streamChat(body, { signal } = {}) {
      const operation = 'createChatCompletion'
      const input: AnyInput = { body: { ...body, stream: true }, ...(signal === undefined ? {} : { signal }) }
      const { response, release } = await send(
        operation,
        input,
        options.timeoutMs ?? MODEL_TIMEOUT_MS,
        'text/event-stream',
      )
      release()
      if (response.body === null) throw unexpected(operation, response.status, 'an answer without a body')
      for await (const data of eventsOf(operation, response.body, signal)) {
        if (data === '[DONE]') return
        yield chunkOf(operation, response.status, data)
      }
      throw unexpected(operation, response.status, 'an answer that ended without [DONE]')
    },
  }
}

type AnyInput = CallOptions & { readonly params?: object; readonly query?: object; readonly body?: unknown }

/** Sends, and turns whatever is not a success into an ApiError. `release` ends the time limit. */
async function sent(
  operation: OperationId,
  request: {
    fetch: typeof fetch
    url: string
    headers: Record<string, string>
    body: string | undefined
    timeoutMs: number
    signal: AbortSignal | undefined
  },
): Promise<{ response: Response; release: () => void }> {
  const limit = new AbortController()
  const timer = setTimeout(
    () => limit.abort(new Error(`no answer within ${request.timeoutMs} ms`)),
    request.timeoutMs,
  )
  const signal = request.signal === undefined ? limit.signal : AbortSignal.any([limit.signal, request.signal])
  const release = () => clearTimeout(timer)
  try {
    const response = await request.fetch(request.url, {
      method: routes[operation].method,
      headers: request.headers,
      signal,
      ...(request.body === undefined ? {} : { body: request.body }),
    })
    if (!response.ok) throw await refusal(operation, response)
    return { response, release }
  } catch (cause) {
    release()
    if (cause instanceof ApiError) throw cause
    request.signal?.throwIfAborted()
    throw unreachable(operation, request.url, cause)
  }
}

async function bodyOf(operation: OperationId, response: Response): Promise<unknown> {
  const schema: z.ZodType = routes[operation].response
  try {
    // A route of no JSON redirects to a file; fetch has followed, without the key (Fetch standard, 4.4).
    if (schema instanceof z.ZodNull) return new Uint8Array(await response.arrayBuffer())
    return schema.parse(await response.json())
  } catch (cause) {
    const seen =
      cause instanceof z.ZodError ? (cause.issues[0]?.path.join('.') ?? 'another shape') : 'no JSON'
    throw unexpected(operation, response.status, seen, cause)
  }
}

/** `/v1/files/{key+}` keeps the slashes of its parameter; every other parameter is one segment. */
function pathOf(operation: OperationId, params: object | undefined): string {
  const values = new Map(Object.entries(params ?? {}).map(([name, value]) => [name, String(value)]))
  return routes[operation].path.replace(/\{(\w+)(\+?)\}/g, (_, name: string, rest: string) => {
    const value = values.get(name)
    if (value === undefined) throw new TypeError(`${operation} needs params.${name}`)
    const segments = rest === '' ? [value] : value.split('/')
    // URL parsers resolve these, and the call would reach another route.
    if (segments.some(segment => segment === '.' || segment === '..')) {
      throw new TypeError(`${operation}: params.${name} may not hold the segments . and ..`)
    }
    return segments.map(encodeURIComponent).join('/')
  })
}

function queryOf(query: object | undefined): string {
  const entries = Object.entries(query ?? {}).filter(([, value]) => value !== undefined)
  return entries.length === 0
    ? ''
    : `?${new URLSearchParams(entries.map(([name, value]) => [name, String(value)]))}`
}

/** The refusal that a response is about, whichever of the two error formats it speaks. */
async function refusal(operation: OperationId, response: Response): Promise<ApiError> {
  const text = await response.text().catch(() => '')
  const body = jsonOrNull(text)
  const { status } = response
  const seconds = Number(response.headers.get('retry-after') ?? Number.NaN)
  const retryAfterSeconds = Number.isFinite(seconds) ? seconds : undefined
  const details = problem.safeParse(body)
  if (details.success) return new ApiError(operation, { ...details.data, status, retryAfterSeconds })
  const failure = chatFailure.safeParse(body)
  if (failure.success) return failureOf(operation, status, failure.data, retryAfterSeconds)
  return new ApiError(operation, {
    status,
    code: 'unexpected-answer',
    title: `HTTP ${status}`,
    detail: `The answer to ${operation} is an error without details`,
    expected: 'problem details',
    seen: text.slice(0, 200),
    retryAfterSeconds,
  })
}

function failureOf(
  operation: OperationId,
  status: number,
  { error }: z.output<typeof chatFailure>,
  retryAfterSeconds?: number,
): ApiError {
  return new ApiError(operation, {
    status,
    code: error.code ?? error.type,
    title: error.type,
    detail: error.message,
    retryAfterSeconds,
  })
}

function unreachable(operation: OperationId, url: string, cause: unknown): ApiError {
  return new ApiError(operation, {
    status: 0,
    code: 'unreachable',
    title: 'No answer',
    detail: `Nothing answers at ${new URL(url).origin}`,
    expected: 'a running deployment at the base URL',
    seen: causeText(cause),
    cause,
  })
}

/** Node's fetch says only "fetch failed"; what failed is in its cause. */
function causeText(error: unknown): string {
  const { message, cause } = error as { message?: unknown; cause?: unknown }
  return cause === undefined || cause === null ? String(message ?? error) : causeText(cause)
}

function unexpected(operation: OperationId, status: number, seen: string, cause?: unknown): ApiError {
  return new ApiError(operation, {
    status,
    code: 'unexpected-answer',
    title: 'Not an answer of this interface',
    detail: `The answer to ${operation} does not have the promised shape`,
    expected: `the response of ${operation} in /openapi.json`,
    seen,
    cause,
  })
}

function jsonOrNull(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return null
  }
}

function chunkOf(operation: OperationId, status: number, data: string): ChatCompletionChunk {
  const value = jsonOrNull(data)
  const failure = chatFailure.safeParse(value)
  if (failure.success) throw failureOf(operation, status, failure.data)
  const chunk = chatCompletionChunk.safeParse(value)
  if (!chunk.success) throw unexpected(operation, status, data.slice(0, 200), chunk.error)
  return chunk.data
}

/** The data of each event of a streamed answer. */
async function* eventsOf(
  operation: OperationId,
  body: ReadableStream<Uint8Array>,
  signal: AbortSignal | undefined,
): AsyncGenerator<string, void, undefined> {
  const reader = body.getReader()
  const events = eventReader()
  try {
    for (;;) {
      const { done, value } = await reader.read().catch(cause => {
        signal?.throwIfAborted()
        throw unexpected(operation, 200, 'an answer that broke off', cause)
      })
      yield* done ? events.end() : events.push(value)
      if (done) return
    }
  } finally {
    await reader.cancel().catch(() => undefined)
  }
}
