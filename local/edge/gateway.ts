import {
  Agent,
  request as httpRequest,
  type IncomingHttpHeaders,
  type IncomingMessage,
  type OutgoingHttpHeaders,
  type ServerResponse,
} from 'node:http'
import { pipeline } from 'node:stream/promises'
import { CORS_HEADERS, problem, SECURITY_HEADERS } from './answers.ts'

/** API Gateway gives a buffered route 29 s. */
const GATEWAY_TIMEOUT_MS = 30_000

/** They belong to one connection (RFC 9110, 7.6.1), and `host` to the emulator. */
const HOP_BY_HOP = new Set([
  'connection',
  'host',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'content-length',
  'expect',
])

type Message = { readonly method: string; readonly headers: IncomingHttpHeaders; readonly body: Buffer }

export type Upstream = {
  /** Sends a request on and streams its answer back; never throws. */
  forward(response: ServerResponse, target: URL, message: Message): Promise<void>
  close(): void
}

/** @param timeoutMs how long the answer may be silent */
export function upstream(timeoutMs = GATEWAY_TIMEOUT_MS): Upstream {
  const agent = new Agent({ keepAlive: true })
  return {
    async forward(response, target, message) {
      try {
        const answer = await answerOf(agent, response, target, message, timeoutMs)
        response.writeHead(answer.statusCode ?? 502, {
          ...SECURITY_HEADERS,
          ...CORS_HEADERS,
          'content-security-policy': "default-src 'none'",
          ...endToEnd(answer.headers),
        })
        await pipeline(answer, response)
      } catch (error) {
        if (response.destroyed) return
        const seen = error instanceof Error ? error.message : String(error)
        problem(response, 502, {
          code: 'unavailable',
          title: 'A service behind this one does not answer; nothing was stored',
          detail: 'The local stack does not answer; see .local/logs',
          seen,
        })
      }
    },
    close: () => agent.destroy(),
  }
}

function answerOf(
  agent: Agent,
  response: ServerResponse,
  target: URL,
  { method, headers: given, body }: Message,
  timeoutMs: number,
): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const headers = {
      ...endToEnd(given),
      ...(body.length === 0 ? {} : { 'content-length': body.length }),
    }
    const send = () => {
      const outgoing = httpRequest(target, { method, headers, agent, timeout: timeoutMs })
      const hangUp = () => outgoing.destroy()
      // A caller who hangs up must reach whoever works for him.
      response.once('close', hangUp)
      outgoing.once('response', resolve)
      outgoing.once('error', (error: NodeJS.ErrnoException) => {
        response.off('close', hangUp)
        // The other side closed an idle connection just as it was taken again: it has read nothing of this.
        if (outgoing.reusedSocket && error.code === 'ECONNRESET' && !response.destroyed) send()
        else reject(error)
      })
      outgoing.once('timeout', () => outgoing.destroy(new Error(`no answer within ${timeoutMs / 1000} s`)))
      outgoing.end(body)
    }
    send()
  })
}

function endToEnd(headers: OutgoingHttpHeaders): OutgoingHttpHeaders {
  return Object.fromEntries(Object.entries(headers).filter(([name]) => !HOP_BY_HOP.has(name)))
}
