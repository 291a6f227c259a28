import {
  InvokeEndpointCommand,
  InvokeEndpointWithResponseStreamCommand,
  type ResponseStream,
  type SageMakerRuntimeClient,
} from '@aws-sdk/client-sagemaker-runtime'
import { OpenLedgerError } from '../../domain/errors.ts'
import type { ModelTarget, ServedModel } from '../../domain/serving/ports.ts'

/** SageMaker's own limit for an answer that is not streamed. */
const WHOLE_ANSWER_TIMEOUT_MS = 60_000
/** What of a container's own words is repeated to the caller. */
const MAX_REASON_CHARACTERS = 300

/** Models behind SageMaker endpoints with inference components; requests and answers are OpenAI's. */
export function servedModel(runtime: SageMakerRuntimeClient): ServedModel {
  return {
    async ask(target, request, signal) {
      try {
        const limit = AbortSignal.any([signal, AbortSignal.timeout(WHOLE_ANSWER_TIMEOUT_MS + 5_000)])
        const { Body } = await runtime.send(new InvokeEndpointCommand(invocation(target, request)), {
          abortSignal: limit,
        })
        return JSON.parse(Body.transformToString()) as unknown
      } catch (error) {
        throw refusal(error, target)
      }
    },

    async stream(target, request, signal) {
      const work = new AbortController()
      const abortSignal = AbortSignal.any([signal, work.signal])
      try {
        const command = new InvokeEndpointWithResponseStreamCommand(invocation(target, request))
        const { Body } = await runtime.send(command, { abortSignal })
        if (Body === undefined)
          throw new OpenLedgerError('unavailable', 'The endpoint answered without a body')
        return partsOf(Body, target, work)
      } catch (error) {
        throw refusal(error, target)
      }
    },
  }
}

function invocation({ endpoint, component }: ModelTarget, request: unknown) {
  return {
    EndpointName: endpoint,
    InferenceComponentName: component,
    ContentType: 'application/json',
    Accept: 'application/json',
    Body: JSON.stringify(request),
  }
}

/** The payload of each part; leaving the loop hangs up, so that the container stops. */
async function* partsOf(
  body: AsyncIterable<ResponseStream>,
  target: ModelTarget,
  work: AbortController,
): AsyncGenerator<Uint8Array> {
  try {
    for await (const { PayloadPart, ModelStreamError, InternalStreamFailure } of body) {
      if (PayloadPart?.Bytes !== undefined) yield PayloadPart.Bytes
      else if (ModelStreamError !== undefined) throw ModelStreamError
      else if (InternalStreamFailure !== undefined) throw InternalStreamFailure
    }
  } catch (error) {
    throw refusal(error, target)
  } finally {
    work.abort()
  }
}

type Fault = { name?: string; message?: string; OriginalStatusCode?: number; OriginalMessage?: string }

/** What a failed invocation means for the caller. Names and texts are those of SageMaker's runtime. */
function refusal(error: unknown, target: ModelTarget): unknown {
  if (error instanceof OpenLedgerError) return error
  const { name, message = '', OriginalStatusCode = 0, OriginalMessage = '' } = error as Fault
  if (name === 'AbortError') return error
  // ModelNotReadyException: the copy exists, but its container does not answer yet.
  const asleep =
    (name === 'ValidationError' && /has no capacity/.test(message)) || name === 'ModelNotReadyException'
  if (asleep) {
    return new OpenLedgerError(
      'model-waking',
      'The model was asleep and is being woken; send the request again',
      {
        expected: 'an answer after the time in Retry-After',
        cause: error,
      },
    )
  }
  if (name === 'ModelError' && OriginalStatusCode >= 400 && OriginalStatusCode < 500) {
    return new OpenLedgerError(
      'malformed',
      `The model does not take this request: ${reasonOf(OriginalMessage)}`,
      {
        expected: 'a request that fits the model, such as one within its context length',
        cause: error,
      },
    )
  }
  return new OpenLedgerError('unavailable', 'The model does not answer now', {
    expected: `an answer of ${target.component}`,
    seen: name ?? 'an error',
    cause: error,
  })
}

/** vLLM says it in `error.message`, older versions in `message`, FastAPI in `detail`. */
function reasonOf(body: string): string {
  try {
    const { error, message, detail } = JSON.parse(body) as Record<string, unknown>
    const text = (error as { message?: unknown } | undefined)?.message ?? message ?? detail ?? body
    return (typeof text === 'string' ? text : JSON.stringify(text)).slice(0, MAX_REASON_CHARACTERS)
  } catch {
    return body.slice(0, MAX_REASON_CHARACTERS)
  }
}
