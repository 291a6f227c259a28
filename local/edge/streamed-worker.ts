/**
 * One streamed function, as Lambda's Node.js runtime runs it: the `awslambda` global, an event and a context for
 * each call, and a stream whose pieces leave at once. Listens on 127.0.0.1 for the edge, which posts the event.
 */
import { randomUUID } from 'node:crypto'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { parentPort, workerData } from 'node:worker_threads'

/** The function's time-out in infra/access.ts. */
const FUNCTION_TIMEOUT_MS = 900_000

type Handler = (event: unknown, stream: ServerResponse, context: object) => Promise<void>
type Metadata = { readonly statusCode: number; readonly headers?: Record<string, string> }

const runtime = {
  streamifyResponse: (handler: Handler) => handler,
  HttpResponseStream: {
    from(stream: ServerResponse, { statusCode, headers = {} }: Metadata) {
      stream.writeHead(statusCode, headers)
      stream.flushHeaders()
      return stream
    },
  },
}
Object.assign(globalThis, { awslambda: runtime })

const { handler } = (await import(workerData.module)) as { handler: Handler }

const server = createServer(async (request, response) => {
  const started = Date.now()
  try {
    const event: unknown = JSON.parse(await textOf(request))
    await handler(event, response, {
      awsRequestId: randomUUID(),
      getRemainingTimeInMillis: () => started + FUNCTION_TIMEOUT_MS - Date.now(),
    })
    if (!response.writableEnded) response.end()
  } catch (error) {
    console.error(error)
    if (response.headersSent) response.destroy()
    else response.writeHead(502).end()
  }
})
// A model may think for long before the first piece, and between two.
server.requestTimeout = 0
server.listen(0, '127.0.0.1', () => parentPort?.postMessage((server.address() as AddressInfo).port))

async function textOf(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = []
  for await (const chunk of request) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks).toString('utf8')
}
