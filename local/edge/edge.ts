/**
 * One plain base URL in front of the emulator's API: `/v1/...` and `/openapi.json` by the route table, all other
 * paths as pages. Streamed routes run the Lambda's own handler here, because the emulator would hold their
 * answers back until they are whole.
 */
import { randomUUID } from 'node:crypto'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { CORS_HEADERS, problem, SECURITY_HEADERS } from './answers.ts'
import { upstream } from './gateway.ts'
import { contentSecurityPolicy, servePage } from './pages.ts'
import { type Match, routesOf } from './routing.ts'
import { streamedFunctions } from './streamed-functions.ts'

/** API Gateway's own limit for a request. */
const MAX_BODY_BYTES = 10 * 1024 * 1024
/** Longer than the 15 minutes that a streamed function has. */
const STREAM_TIMEOUT_MS = 16 * 60_000
/** Each server behind this one decodes a path once more; nobody needs it more often. */
const MAX_ENCODINGS = 3
/** How long a caller may go on sending after he was told that it is too much. */
const LINGER_MS = 2_000
const PREFLIGHT_MAX_AGE_SECONDS = 86_400

export type EdgeOptions = {
  /** On 127.0.0.1; 0 takes a free one. */
  readonly port: number
  readonly emulatorUrl: string
  /** The deployed REST API and its stage. */
  readonly apiId: string
  readonly stageName: string
  /** The variables of the Lambda of each streamed route, by handler; see `streamedEnvironments`. */
  readonly environmentOfStreamedFunctions: Readonly<Record<string, Readonly<Record<string, string>>>>
  /** What lies at `/`. */
  readonly pagesDir: string
  /** Takes what streamed handlers log. @default this process's own output */
  readonly logFile?: string
}
export type Edge = { readonly url: string; stop(): Promise<void> }

/** Starts the edge. It answers whatever it is sent; what is wrong is said as problem details (RFC 9457). */
export async function startEdge(options: EdgeOptions): Promise<Edge> {
  const { emulatorUrl, apiId, stageName, pagesDir } = options
  const gateway = upstream()
  const streams = upstream(STREAM_TIMEOUT_MS)
  const functions = streamedFunctions(options.environmentOfStreamedFunctions, options.logFile)
  const policy = contentSecurityPolicy([new URL(emulatorUrl).origin])

  const answer = async (request: IncomingMessage, response: ServerResponse) => {
    const url = urlOf(request.url)
    if (url === null)
      return malformed(response, 'The path is not a path', 'a path without .. and of valid percent-encoding')
    const matches = routesOf(url.pathname)
    if (matches.length === 0) return page(request, response, url)
    if (request.method === 'OPTIONS') return preflight(response, matches)
    const method = request.method === 'HEAD' ? 'GET' : request.method
    const match = matches.find(({ route }) => route.method === method)
    if (match === undefined) return methodNotAllowed(request, response, matches)
    const body = await bodyOf(request)
    if (body === null) return tooLarge(request, response)
    if (match.route.streamed) return stream(match, url, request, response, body)
    const target = new URL(
      `${emulatorUrl}/restapis/${apiId}/${stageName}/_user_request_${url.pathname}${url.search}`,
    )
    await gateway.forward(response, target, { method: match.route.method, headers: request.headers, body })
  }

  const stream = async (
    match: Match,
    url: URL,
    request: IncomingMessage,
    response: ServerResponse,
    body: Buffer,
  ) => {
    const target = await functions.url(match.route.handler)
    const event = Buffer.from(JSON.stringify(proxyEvent(match, url, request, body)))
    const headers = { 'content-type': 'application/json' }
    await streams.forward(response, target, { method: 'POST', headers, body: event })
  }

  const page = async (request: IncomingMessage, response: ServerResponse, url: URL) => {
    if (request.method !== 'GET' && request.method !== 'HEAD') return notFound(response, url)
    if (!(await servePage(response, pagesDir, url.pathname, policy))) notFound(response, url)
  }

  const server = createServer((request, response) => {
    response.on('error', () => response.destroy())
    answer(request, response).catch(error => {
      if (request.destroyed && !request.complete) return // the caller hung up
      console.error(error)
      problem(response, 500, {
        code: 'internal',
        title: 'Something went wrong on our side',
        detail: error instanceof Error ? error.message : String(error),
      })
    })
  })
  // Hostile or broken clients: a tunnel is refused, and what is not HTTP is told so and dropped.
  server.on('connect', (_, socket) => socket.destroy())
  server.on('upgrade', (_, socket) => socket.destroy())
  server.on('clientError', (_, socket) => {
    if (socket.writable)
      socket.end('HTTP/1.1 400 Bad Request\r\nconnection: close\r\ncontent-length: 0\r\n\r\n')
    else socket.destroy()
  })

  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(options.port, '127.0.0.1', resolve)
  })
  const { port } = server.address() as AddressInfo
  return {
    url: `http://127.0.0.1:${port}`,
    async stop() {
      const closed = new Promise(resolve => server.close(resolve))
      server.closeAllConnections()
      await functions.close()
      gateway.close()
      streams.close()
      await closed
    },
  }
}

/**
 * The request's URL with dot segments resolved, so that none reaches the emulator, where it could lead out of the
 * API; encoded ones, also more than once, are refused for the same reason. null for what is no path.
 */
function urlOf(target: string | undefined): URL | null {
  if (target === undefined || !target.startsWith('/')) return null
  try {
    const url = new URL(`http://edge${target}`)
    let path = url.pathname
    for (let layer = 0; layer < MAX_ENCODINGS && path.includes('%'); layer++) path = decodeURIComponent(path)
    return path.includes('%') || /(^|[/\\])\.\.?([/\\]|$)|\0/.test(path) ? null : url
  } catch {
    return null
  }
}

/** null when it is larger than allowed; the rest of it is let go by. @throws Error when the caller hangs up */
function bodyOf(request: IncomingMessage): Promise<Buffer | null> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = []
    let sizeBytes = 0
    const giveUp = () => {
      request.off('data', take)
      request.resume()
      resolve(null)
    }
    const take = (chunk: Buffer) => {
      chunks.push(chunk)
      sizeBytes += chunk.length
      if (sizeBytes > MAX_BODY_BYTES) giveUp()
    }
    request.on('data', take)
    request.once('end', () => resolve(Buffer.concat(chunks)))
    request.once('error', reject)
    if (Number(request.headers['content-length'] ?? 0) > MAX_BODY_BYTES) giveUp()
  })
}

/** The part of API Gateway's proxy event that handlers read. */
function proxyEvent({ route, params }: Match, url: URL, request: IncomingMessage, body: Buffer) {
  const { _, ...pathParameters } = params
  const headers = Object.entries(request.headers).map(([name, value]) => [name, String(value)])
  return {
    resource: route.path,
    path: url.pathname,
    httpMethod: route.method,
    headers: Object.fromEntries(headers),
    pathParameters,
    queryStringParameters: Object.fromEntries(url.searchParams),
    requestContext: { requestId: randomUUID() },
    body: body.toString('utf8'),
    isBase64Encoded: false,
  }
}

function preflight(response: ServerResponse, matches: readonly Match[]) {
  response.writeHead(204, {
    ...SECURITY_HEADERS,
    ...CORS_HEADERS,
    'access-control-allow-methods': allowed(matches),
    'access-control-allow-headers': 'authorization,content-type',
    'access-control-max-age': String(PREFLIGHT_MAX_AGE_SECONDS),
  })
  response.end()
}

const allowed = (matches: readonly Match[]) =>
  [
    ...new Set(matches.flatMap(({ route }) => (route.method === 'GET' ? ['GET', 'HEAD'] : [route.method]))),
    'OPTIONS',
  ].join(', ')

function methodNotAllowed(request: IncomingMessage, response: ServerResponse, matches: readonly Match[]) {
  const detail = `${request.url} does not take ${request.method}`
  const facts = { code: 'malformed', title: 'The request is not as the interface describes it', detail }
  problem(
    response,
    405,
    { ...facts, expected: allowed(matches), seen: request.method ?? '' },
    { allow: allowed(matches) },
  )
}

function notFound(response: ServerResponse, url: URL) {
  const detail = 'Nothing lies at this path; the interface is described at /openapi.json'
  problem(response, 404, { code: 'not-found', title: 'There is no such thing', detail, seen: url.pathname })
}

function malformed(response: ServerResponse, detail: string, expected: string) {
  problem(response, 400, {
    code: 'malformed',
    title: 'The request is not as the interface describes it',
    detail,
    expected,
  })
}

/** The answer goes out while the rest comes in: a connection cut at once would take it away from the caller. */
function tooLarge(request: IncomingMessage, response: ServerResponse) {
  const facts = {
    code: 'too-large',
    title: 'The request is larger than allowed',
    detail: 'The body is too large',
  }
  problem(response, 413, { ...facts, expected: `at most ${MAX_BODY_BYTES} bytes` })
  setTimeout(() => request.destroy(), LINGER_MS).unref()
}
