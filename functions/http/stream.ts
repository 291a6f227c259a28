import type { APIGatewayProxyEvent, Context } from 'aws-lambda'
import type { Route } from '../../api/routes.ts'
import { errorAnswer, logger, parseRequest, type Request } from './endpoint.ts'

/** Kept of the function's time for booking what was produced when an answer takes too long. */
const SETTLE_MS = 10_000

export type Call = {
  /** Unique for ever: the natural key of what the call leaves behind. */
  readonly requestId: string
  /** Aborted when the caller is gone, or when the function's time is nearly up. */
  readonly signal: AbortSignal
}
export type StreamedAnswer = {
  readonly headers: Readonly<Record<string, string>>
  /** Written piece by piece. Its `finally` runs, and is waited for, however the answer ends. */
  readonly pieces: AsyncIterable<string>
}

/**
 * A route whose answer is written while it is made (Lambda response streaming). Until the first piece every
 * error is answered as `endpoint` answers it; after that the status is sent, and the pieces must say what is
 * wrong themselves.
 */
export function streamingEndpoint<R extends Route>(
  route: R,
  handle: (request: Request<R>, call: Call) => Promise<StreamedAnswer>,
) {
  return awslambda.streamifyResponse(
    async (event: APIGatewayProxyEvent, stream: awslambda.HttpResponseStream, context: Context) => {
      const callerGone = new AbortController()
      stream.once('error', error => callerGone.abort(error))
      stream.once('close', () => callerGone.abort(new Error('The caller is gone')))
      const timeMs = Math.max(0, context.getRemainingTimeInMillis() - SETTLE_MS)
      const call: Call = {
        requestId: context.awsRequestId,
        signal: AbortSignal.any([callerGone.signal, AbortSignal.timeout(timeMs)]),
      }
      try {
        const { headers, pieces } = await handle(parseRequest(route, event), call)
        await write(begun(stream, 200, headers), pieces, callerGone.signal)
      } catch (error) {
        const { statusCode, headers, body } = errorAnswer(route, error)
        if (stream.writableEnded || stream.destroyed) return
        begun(stream, statusCode, {
          ...(headers as Record<string, string>),
          'x-request-id': call.requestId,
        }).end(body)
      }
    },
  )
}

/** The interface is public and carries no cookies, so every origin may call it and read its headers. */
function begun(
  stream: awslambda.HttpResponseStream,
  statusCode: number,
  headers: Readonly<Record<string, string>>,
) {
  return awslambda.HttpResponseStream.from(stream, {
    statusCode,
    headers: { ...headers, 'access-control-allow-origin': '*', 'access-control-expose-headers': '*' },
  })
}

async function write(
  out: awslambda.HttpResponseStream,
  pieces: AsyncIterable<string>,
  callerGone: AbortSignal,
) {
  try {
    for await (const piece of pieces) {
      if (callerGone.aborted) break
      if (!out.write(piece)) await drained(out, callerGone)
    }
  } catch (error) {
    logger.error('stream.broken', { error: error as Error })
  }
  out.end()
}

/** Waits until a slow reader has caught up, or is gone. */
function drained(out: awslambda.HttpResponseStream, callerGone: AbortSignal): Promise<void> {
  return new Promise(resolve => {
    if (callerGone.aborted) return resolve()
    const settle = () => {
      out.off('drain', settle)
      callerGone.removeEventListener('abort', settle)
      resolve()
    }
    out.once('drain', settle)
    callerGone.addEventListener('abort', settle, { once: true })
  })
}
