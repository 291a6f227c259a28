import {
  type ChatCompletion,
  type ChatCompletionAnswer,
  type ChatUsage,
  chatCompletionAnswer,
} from '../../api/schemas/serving.ts'
import { type EventReader, eventReader } from '../../api/server-sent-events.ts'
import { OpenLedgerError } from '../errors.ts'
import type { Alias } from './alias.ts'
import { type ApiKey, keyIdOf, presentedKey, unknownKey } from './api-key.ts'
import { answerCount, chunkOf, DONE, publicChunk, sentEvent, usageChunk } from './chat-stream.ts'
import type { ActivityBook, AliasBook, KeyBook, ModelCopies, ServedModel } from './ports.ts'
import { costWei, maxTokensOf, mostTokens, type Price, priceOf, type Tokens } from './price.ts'
import { periodOf, type UsageRecord } from './usage.ts'

/** Longer than a function can run, so that only a crashed request's reservation expires. */
const RESERVATION_MS = 20 * 60_000
/** Each closed period sends a record one further; more than this many closed at once is a wrong clock. */
const MAX_PERIODS_AHEAD = 1_000

export type CompleteChatDeps = {
  readonly keys: KeyBook
  readonly aliases: AliasBook
  readonly activity: ActivityBook
  readonly model: ServedModel
  readonly copies: ModelCopies
  readonly prices: ReadonlyMap<string, Price>
  readonly periodSeconds: number
  readonly now: () => number
  readonly report: (event: string, facts: Readonly<Record<string, unknown>>) => void
}

export type ChatInput = {
  readonly request: ChatCompletion
  readonly authorization: string | undefined
  readonly requestId: string
  readonly signal: AbortSignal
}
/** `pieces` is server-sent events when `stream` was asked for, else one JSON document. */
export type ChatOutcome = {
  readonly streamed: boolean
  readonly version: string
  readonly reservedWei: bigint
  /** null while the answer is being made. */
  readonly usage: ChatUsage | null
  readonly pieces: AsyncIterable<string>
}

/**
 * One chat completion for a key's credit: reserves the most that it can cost, asks the version behind the alias,
 * and charges what was used. Charges are final; a request that the model fails costs nothing, and of one that the
 * caller leaves only what was made until then.
 * @throws OpenLedgerError key-missing, key-invalid, model-not-served, credit-exhausted, model-waking, malformed
 * (the model refuses the request), unavailable
 */
export async function completeChat(deps: CompleteChatDeps, input: ChatInput): Promise<ChatOutcome> {
  const key = await requireKey(deps, input.authorization)
  const alias = await requireAlias(deps, input.request.model)
  const price = priceOf(deps.prices, alias.current.modelProfile)
  const request = withSystemPrompt(input.request, alias.systemPrompt)
  const reservedWei = costWei(price, mostTokens(request))
  await reserve(deps, key, input.requestId, reservedWei)
  const job: Job = {
    key,
    alias,
    price,
    request,
    reservedWei,
    requestId: input.requestId,
    signal: input.signal,
  }
  try {
    await deps.activity.touch(alias.current.component, deps.now())
    const answer = request.stream ? await streamed(deps, job) : await whole(deps, job)
    return { streamed: request.stream === true, version: alias.current.version, reservedWei, ...answer }
  } catch (error) {
    await deps.keys.release(key.keyHash, input.requestId)
    if (error instanceof OpenLedgerError && error.code === 'model-waking')
      await wake(deps, alias.current.component)
    throw error
  }
}

type Job = {
  readonly key: ApiKey
  readonly alias: Alias
  readonly price: Price
  readonly request: ChatCompletion
  readonly reservedWei: bigint
  readonly requestId: string
  readonly signal: AbortSignal
}

async function requireKey(
  deps: Pick<CompleteChatDeps, 'keys'>,
  authorization: string | undefined,
): Promise<ApiKey> {
  const key = await deps.keys.get(presentedKey(authorization))
  if (key === null) throw unknownKey()
  return key
}

async function requireAlias(deps: Pick<CompleteChatDeps, 'aliases'>, name: string): Promise<Alias> {
  const alias = await deps.aliases.get(name)
  if (alias !== null) return alias
  throw new OpenLedgerError('model-not-served', 'No model is served under this name', {
    expected: 'one of GET /v1/models',
    seen: name,
  })
}

async function reserve(deps: CompleteChatDeps, key: ApiKey, requestId: string, amountWei: bigint) {
  const reservation = { requestId, amountWei, expiresAt: deps.now() + RESERVATION_MS }
  let outcome = await deps.keys.reserve(key.keyHash, reservation)
  if (outcome === 'short' && (await deps.keys.releaseExpired(key.keyHash, deps.now())) > 0) {
    outcome = await deps.keys.reserve(key.keyHash, reservation)
  }
  if (outcome === 'unknown-key') throw unknownKey()
  if (outcome === 'reserved') return
  const now = await deps.keys.get(key.keyHash)
  throw new OpenLedgerError('credit-exhausted', 'The credit of this key does not cover the request', {
    expected: `${amountWei} base units for the longest answer; ask for fewer max_tokens, or buy a key`,
    seen: `${now?.creditWei ?? 0n} base units free, ${now?.reservedWei ?? 0n} reserved by requests under way`,
  })
}

function withSystemPrompt(request: ChatCompletion, systemPrompt: string): ChatCompletion {
  if (systemPrompt === '' || request.messages.some(({ role }) => role === 'system')) return request
  return { ...request, messages: [{ role: 'system', content: systemPrompt }, ...request.messages] }
}

/** What the container is asked. Whoever the caller says that his user is stays here. */
function modelRequest({ request, alias }: Job) {
  const { user: _user, max_completion_tokens: _max, stream_options: _options, ...fields } = request
  return {
    ...fields,
    model: alias.alias,
    max_tokens: maxTokensOf(request),
    // vLLM counts only when asked, and with the second option while the answer is made.
    ...(request.stream ? { stream_options: { include_usage: true, continuous_usage_stats: true } } : {}),
  }
}

type Answer = Pick<ChatOutcome, 'usage' | 'pieces'>

async function whole(deps: CompleteChatDeps, job: Job): Promise<Answer> {
  const answer = chatCompletionAnswer.safeParse(
    await deps.model.ask(target(job), modelRequest(job), job.signal),
  )
  if (!answer.success) {
    throw new OpenLedgerError('unavailable', "The model's answer is not a chat completion", {
      expected: 'an answer with choices and usage',
      seen: answer.error.issues[0]?.path.join('.') ?? 'another shape',
    })
  }
  const { usage } = answer.data
  const tokens = {
    promptTokens: usage.prompt_tokens,
    completionTokens: usage.completion_tokens,
    estimated: false,
  }
  const charged = await settle(deps, job, tokens)
  const presented = presentUsage(tokens, charged)
  const document: ChatCompletionAnswer = { ...answer.data, ...names(job), usage: presented }
  return { usage: presented, pieces: once(JSON.stringify(document)) }
}

/** Asks before it answers, so that a refusal of the model is still an HTTP status. */
async function streamed(deps: CompleteChatDeps, job: Job): Promise<Answer> {
  const bytes = await deps.model.stream(target(job), modelRequest(job), job.signal)
  return { usage: null, pieces: relay(deps, job, bytes) }
}

/**
 * Hands the answer on chunk by chunk. However it ends, the reservation is settled before the generator is done:
 * by the model's count, by a floor when the caller left, by nothing when the model failed.
 */
async function* relay(
  deps: CompleteChatDeps,
  job: Job,
  bytes: AsyncIterable<Uint8Array>,
): AsyncGenerator<string> {
  const count = answerCount(job.request)
  let open = true
  const book = async () => {
    open = false
    const tokens = count.result()
    return { tokens, charged: await settle(deps, job, tokens) }
  }
  try {
    let whole = false
    for await (const event of eventsOf(bytes, eventReader())) {
      const chunk = chunkOf(event)
      whole = chunk === null
      if (chunk === null) break
      count.see(chunk)
      if (chunk.choices.length > 0) yield sentEvent(publicChunk(chunk, names(job)))
    }
    if (!whole) throw new OpenLedgerError('unavailable', 'The model broke off in the middle of the answer')
    const { tokens, charged } = await book()
    if (job.request.stream_options?.include_usage) {
      yield sentEvent(usageChunk(names(job), Math.floor(deps.now() / 1_000), presentUsage(tokens, charged)))
    }
    yield sentEvent(DONE)
  } catch (error) {
    const late = job.signal.aborted
    if (open && !late) {
      open = false
      deps.report('completion.broken', { requestId: job.requestId, alias: job.alias.alias, error })
      await deps.keys.release(job.key.keyHash, job.requestId)
    }
    yield sentEvent({ error: failureOf(error, late) })
  } finally {
    // Here when the caller has left, or the function's time is up.
    if (open) await book()
  }
}

async function* eventsOf(bytes: AsyncIterable<Uint8Array>, reader: EventReader): AsyncGenerator<string> {
  for await (const part of bytes) yield* reader.push(part)
  yield* reader.end()
}

async function* once(text: string): AsyncGenerator<string> {
  yield text
}

const target = ({ alias: { current } }: Job) => ({ endpoint: current.endpoint, component: current.component })
const names = ({ requestId, alias }: Job) => ({ id: `chatcmpl-${requestId}`, model: alias.alias })

function failureOf(error: unknown, charged: boolean) {
  const known = error instanceof OpenLedgerError ? error : null
  const message = known?.message ?? 'The answer ended too early'
  return {
    message: charged ? message : `${message}; nothing is charged for it`,
    type: 'server_error',
    param: null,
    code: known?.code ?? 'unavailable',
  }
}

/**
 * Charges what was used, at most what was reserved. An answer that cannot be booked is still the caller's: its
 * reservation expires, and the report says what was lost.
 */
async function settle(
  deps: CompleteChatDeps,
  job: Job,
  tokens: Tokens & { estimated: boolean },
): Promise<bigint> {
  const cost = costWei(job.price, tokens)
  const usage: Omit<UsageRecord, 'period'> = {
    requestId: job.requestId,
    keyId: keyIdOf(job.key.keyHash),
    account: job.key.account,
    alias: job.alias.alias,
    version: job.alias.current.version,
    datanetId: job.alias.datanetId,
    promptTokens: tokens.promptTokens,
    completionTokens: tokens.completionTokens,
    // biome-ignore lint/complexity/useMathMinMax: Math.min takes no bigint
    chargedWei: cost < job.reservedWei ? cost : job.reservedWei,
    at: deps.now(),
    estimated: tokens.estimated,
  }
  const facts = { ...usage, chargedWei: String(usage.chargedWei) }
  try {
    const first = periodOf(usage.at, deps.periodSeconds)
    for (let period = first; period < first + MAX_PERIODS_AHEAD; period++) {
      const outcome = await deps.keys.settle(job.key.keyHash, { ...usage, period })
      if (outcome === 'period-closed') continue
      deps.report(outcome === 'settled' ? 'completion.settled' : 'completion.unsettled', { ...facts, period })
      return outcome === 'settled' ? usage.chargedWei : 0n
    }
    deps.report('completion.unsettled', facts)
  } catch (error) {
    deps.report('completion.unsettled', { ...facts, error })
  }
  return 0n
}

function presentUsage({ promptTokens, completionTokens }: Tokens, chargedWei: bigint): ChatUsage {
  return {
    prompt_tokens: promptTokens,
    completion_tokens: completionTokens,
    total_tokens: promptTokens + completionTokens,
    charged_wei: String(chargedWei),
  }
}

/** Starts a copy, once however many ask; the caller is told to come back in any case. */
async function wake(deps: CompleteChatDeps, component: string) {
  try {
    if (!(await deps.activity.claimWaking(component, deps.now()))) return
    if ((await deps.copies.wanted(component)) === 0) await deps.copies.setWanted(component, 1)
  } catch (error) {
    deps.report('model.not-woken', { component, error })
  }
}
