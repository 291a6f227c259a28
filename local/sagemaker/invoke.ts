/**
 * The runtime's three ways to a served model: InvokeEndpoint, InvokeEndpointWithResponseStream and the
 * OpenAI-compatible path. The body is an OpenAI chat request in each; streamed answers go on piece by piece,
 * and a caller that hangs up ends the generation.
 */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { AwsError, validationError } from './aws-error.ts'
import {
  type ChatRequest,
  callerAnswer,
  containerBody,
  createStreamRewriter,
  parseChatRequest,
} from './chat-container.ts'
import { payloadPart, streamException } from './event-stream.ts'
import type { Hosting, InvocationTarget } from './hosting.ts'

/** AWS's own limits: a container answers within 60 s, a stream lasts at most 8 minutes. */
const INVOCATION_TIMEOUT_MS = 60_000
const STREAM_TIMEOUT_MS = 8 * 60_000

/** AWS's text, to the letter: callers tell a model that sleeps from a wrong request by it. */
const NO_CAPACITY =
  'Inference Component has no capacity to process this request. ApplicationAutoScaling may be in-progress ' +
  '(if configured) or try to increase the capacity by invoking UpdateInferenceComponentRuntimeConfig API.'

export type Invocation = {
  hosting: Hosting
  account: string
  endpointName: string
  request: IncomingMessage
  response: ServerResponse
  body: Uint8Array
}

/** `POST /endpoints/{name}/invocations`: the whole answer at once, a streamed one too. */
export async function invokeEndpoint(invocation: Invocation): Promise<void> {
  const { response } = invocation
  const target = targetOf(invocation, componentHeader(invocation.request))
  const chat = chatOf(invocation, target)
  await withAnswer(invocation, target, chat, INVOCATION_TIMEOUT_MS, async answer => {
    if (!answer.ok) throw modelError(target, answer.status, await answer.text())
    const text = chat.stream
      ? await wholeStream(answer, chat)
      : JSON.stringify(callerAnswer(await answer.json(), chat))
    response.writeHead(200, {
      'content-type': chat.stream ? 'text/event-stream' : 'application/json',
      'x-amzn-invoked-production-variant': target.variant,
    })
    response.end(text)
  })
}

/** `POST /endpoints/{name}/invocations-response-stream`: event-stream frames around the answer's pieces. */
export async function invokeWithResponseStream(invocation: Invocation): Promise<void> {
  const { response } = invocation
  const target = targetOf(invocation, componentHeader(invocation.request))
  const chat = chatOf(invocation, target)
  await withAnswer(invocation, target, chat, STREAM_TIMEOUT_MS, async answer => {
    if (!answer.ok) throw modelError(target, answer.status, await answer.text())
    response.writeHead(200, {
      'content-type': 'application/vnd.amazon.eventstream',
      'x-amzn-sagemaker-content-type': chat.stream ? 'text/event-stream' : 'application/json',
      'x-amzn-invoked-production-variant': target.variant,
    })
    try {
      for await (const text of pieces(answer, chat))
        await write(response, payloadPart(Buffer.from(text, 'utf8')))
    } catch (error) {
      if (!response.destroyed) response.write(streamException('ModelStreamError', messageOf(error)))
    }
    response.end()
  })
}

/**
 * `POST /endpoints/{name}[/inference-components/{component}]/openai/v1/chat/completions`. As AWS does, the
 * component is in the path (its header is refused), a bearer token is asked for, and errors come in OpenAI's
 * shape, the container's quoted in the message.
 */
export async function openAiChat(invocation: Invocation, componentName: string | undefined): Promise<void> {
  const { request, response } = invocation
  try {
    if (!/^Bearer \S/.test(request.headers.authorization ?? ''))
      throw new AwsError('authentication_error', 'A bearer token is required', 403)
    if (componentHeader(request) !== undefined)
      throw validationError(
        'X-Amzn-SageMaker-Inference-Component is not allowed; name the inference component in the path',
      )
    const target = targetOf(invocation, componentName)
    const chat = chatOf(invocation, target)
    await withAnswer(invocation, target, chat, STREAM_TIMEOUT_MS, async answer => {
      if (!answer.ok)
        throw new AwsError('model_error', quoted(target, answer.status, await answer.text()), answer.status)
      if (!chat.stream) {
        const text = JSON.stringify(callerAnswer(await answer.json(), chat))
        response.writeHead(200, { 'content-type': 'application/json' }).end(text)
        return
      }
      response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-cache' })
      for await (const text of pieces(answer, chat)) await write(response, text)
      response.end()
    })
  } catch (error) {
    if (response.headersSent) {
      response.destroy() // a stream that breaks off is no stream that ended
      return
    }
    const refusal = error instanceof AwsError ? error : new AwsError('InternalFailure', messageOf(error), 500)
    // The runtime's modelled errors reach OpenAI clients as this envelope.
    const type = refusal.status < 500 ? 'invalid_request_error' : 'server_error'
    const envelope = { error: { message: refusal.message, type, param: null, code: refusal.code } }
    response.writeHead(refusal.status, { 'content-type': 'application/json' }).end(JSON.stringify(envelope))
  }
}

function componentHeader(request: IncomingMessage): string | undefined {
  const value = request.headers['x-amzn-sagemaker-inference-component']
  return Array.isArray(value) ? value[0] : value
}

function targetOf(invocation: Invocation, componentName: string | undefined): InvocationTarget {
  const { hosting, account, endpointName } = invocation
  if (!hosting.invocationTarget(endpointName, undefined))
    throw validationError(`Endpoint ${endpointName} of account ${account} not found.`)
  const target = hosting.invocationTarget(endpointName, componentName)
  if (!target) throw validationError(`Inference Component ${componentName} of account ${account} not found.`)
  if (componentName === undefined && target.isComponent)
    throw validationError(
      'Inference Component Name header is required for endpoints to which you plan to deploy inference ' +
        'components. Please include Inference Component Name header or consider using SageMaker models.',
    )
  return target
}

function chatOf(invocation: Invocation, target: InvocationTarget): ChatRequest {
  const chat = parseChatRequest(invocation.body, target.name)
  if (!chat) throw modelError(target, 400, '{"detail":"The body is not a JSON object"}')
  return chat
}

/** Sends the request to a healthy copy and hands over its answer, until `use` is done or the caller is gone. */
async function withAnswer(
  invocation: Invocation,
  target: InvocationTarget,
  chat: ChatRequest,
  timeoutMs: number,
  use: (answer: Response) => Promise<void>,
): Promise<void> {
  const { response } = invocation
  const lease = target.server?.lease()
  if (!lease || !target.server) {
    if (target.isComponent) throw validationError(NO_CAPACITY)
    throw new AwsError('ServiceUnavailable', 'The service is currently unavailable.', 503)
  }
  const callerGone = new AbortController()
  const onClose = () => callerGone.abort()
  response.once('close', onClose)
  const timeout = AbortSignal.timeout(timeoutMs)
  try {
    const answer = await fetch(`${lease.url}/v1/chat/completions`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(containerBody(chat, target.server.generationConfig())),
      signal: AbortSignal.any([callerGone.signal, timeout]),
    })
    await use(answer)
  } catch (error) {
    if (callerGone.signal.aborted) return
    if (error instanceof AwsError) throw error
    if (timeout.aborted)
      throw new AwsError(
        'ModelError',
        `Received server error (0) from ${target.name} with message "Your invocation timed out while waiting for a response from container ${target.name}."`,
        424,
        { OriginalStatusCode: 0, OriginalMessage: 'Your invocation timed out' },
      )
    throw modelError(target, 500, messageOf(error)) // the copy went away under the request
  } finally {
    response.off('close', onClose)
    lease.release()
  }
}

/** The answer's text as it comes; only the events of a stream are looked into. */
async function* pieces(answer: Response, chat: ChatRequest): AsyncGenerator<string> {
  if (!chat.stream) {
    yield JSON.stringify(callerAnswer(await answer.json(), chat))
    return
  }
  const rewriter = createStreamRewriter(chat)
  for await (const bytes of answer.body ?? []) {
    const text = rewriter.push(bytes)
    if (text !== '') yield text
  }
  yield rewriter.end()
}

async function wholeStream(answer: Response, chat: ChatRequest): Promise<string> {
  let text = ''
  for await (const piece of pieces(answer, chat)) text += piece
  return text
}

/** Waits while the caller reads more slowly than the model writes. */
async function write(response: ServerResponse, data: Buffer | string): Promise<void> {
  if (response.destroyed) throw new Error('The caller is gone')
  if (response.write(data)) return
  await new Promise<void>(resolve => {
    const settle = () => {
      response.off('drain', settle)
      response.off('close', settle)
      resolve()
    }
    response.once('drain', settle)
    response.once('close', settle)
  })
}

function quoted(target: InvocationTarget, status: number, body: string): string {
  const side = status < 500 ? 'client' : 'server'
  return `Received ${side} error (${status}) from ${target.name} with message "${body}".`
}

function modelError(target: InvocationTarget, status: number, body: string): AwsError {
  return new AwsError('ModelError', quoted(target, status, body), 424, {
    OriginalStatusCode: status,
    OriginalMessage: body,
  })
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
