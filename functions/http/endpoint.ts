import { Logger } from '@aws-lambda-powertools/logger'
import middy from '@middy/core'
import type { APIGatewayProxyEvent, APIGatewayProxyResult, Context } from 'aws-lambda'
import type * as z from 'zod'
import type { Route } from '../../api/routes.ts'
import { isOpenLedgerError, OpenLedgerError } from '../../domain/errors.ts'
import { errorTable } from './error-table.ts'

export const logger = new Logger({ serviceName: 'openledger' })

/** Above every schema limit; API Gateway itself stops at 10 MB. */
const MAX_BODY_BYTES = 1_000_000

type Parsed<T> = T extends z.ZodType ? z.output<T> : undefined
export type Request<R extends Route> = {
  readonly params: Parsed<R['params']>
  readonly query: Parsed<R['query']>
  readonly body: Parsed<R['body']>
  readonly headers: Readonly<Record<string, string>>
  readonly receivedAt: number
}
type Answer<R extends Route> = z.input<R['response']> | Redirect

export class Redirect {
  readonly location: string
  constructor(location: string) {
    this.location = location
  }
}

/**
 * A route's handler: checks the request against the route's schemas, calls `handle`, answers JSON, and turns
 * every error into problem details (RFC 9457), or OpenAI's error object under the model routes.
 */
export function endpoint<R extends Route>(route: R, handle: (request: Request<R>) => Promise<Answer<R>>) {
  return middy<APIGatewayProxyEvent, APIGatewayProxyResult, Error, Context>()
    .use(problems(route))
    .use(crossOrigin())
    .handler(async event => {
      const answer = await handle(parseRequest(route, event))
      if (answer instanceof Redirect) {
        return { statusCode: 302, headers: { location: answer.location }, body: '' }
      }
      return json(200, answer)
    })
}

/** Parses and checks a gateway event by the route's schemas; `malformed` names the first field that is wrong. */
export function parseRequest<R extends Route>(
  route: R,
  event: Pick<
    APIGatewayProxyEvent,
    'pathParameters' | 'queryStringParameters' | 'headers' | 'body' | 'isBase64Encoded'
  >,
): Request<R> {
  const check = (schema: z.ZodType | undefined, value: unknown, where: string) =>
    schema === undefined ? undefined : parsed(schema, value, where)
  return {
    params: check(route.params, decoded(event.pathParameters ?? {}), 'path'),
    query: check(route.query, event.queryStringParameters ?? {}, 'query'),
    body: route.body === undefined ? undefined : parsed(route.body, bodyOf(event), 'body'),
    headers: Object.fromEntries(
      Object.entries(event.headers ?? {}).map(([name, value]) => [name.toLowerCase(), value ?? '']),
    ),
    receivedAt: Date.now(),
  } as Request<R>
}

function parsed(schema: z.ZodType, value: unknown, where: string): unknown {
  const outcome = schema.safeParse(value)
  if (outcome.success) return outcome.data
  const issue = outcome.error.issues[0]
  const path = [where, ...(issue?.path ?? [])].join('.')
  throw new OpenLedgerError('malformed', `${path}: ${issue?.message ?? 'does not fit the schema'}`, {
    expected: issue?.message ?? 'a value as in /openapi.json',
    seen: path,
  })
}

function decoded(parameters: Record<string, string | undefined>) {
  return Object.fromEntries(
    Object.entries(parameters).map(([name, value]) => {
      try {
        return [name, decodeURIComponent(value ?? '')]
      } catch (cause) {
        throw new OpenLedgerError('malformed', `path.${name} is not valid percent-encoding`, { cause })
      }
    }),
  )
}

function bodyOf(event: Pick<APIGatewayProxyEvent, 'body' | 'isBase64Encoded'>): unknown {
  const text = event.isBase64Encoded
    ? Buffer.from(event.body ?? '', 'base64').toString('utf8')
    : (event.body ?? '')
  if (Buffer.byteLength(text) > MAX_BODY_BYTES) {
    throw new OpenLedgerError('too-large', 'The body is too large', {
      expected: `at most ${MAX_BODY_BYTES} bytes`,
      seen: `${Buffer.byteLength(text)} bytes`,
    })
  }
  try {
    return JSON.parse(text)
  } catch (cause) {
    throw new OpenLedgerError('malformed', 'The body is not JSON', {
      expected: 'a JSON document',
      seen: text === '' ? 'an empty body' : 'text that does not parse',
      cause,
    })
  }
}

export function json(
  statusCode: number,
  body: unknown,
  headers: Record<string, string> = {},
): APIGatewayProxyResult {
  return {
    statusCode,
    headers: { 'content-type': 'application/json', 'cache-control': 'no-store', ...headers },
    body: JSON.stringify(body),
  }
}

/** The HTTP answer for an error: facts for the caller, nothing of our insides. */
export function errorAnswer(route: Route, error: unknown): APIGatewayProxyResult {
  const known = isOpenLedgerError(error)
    ? error
    : new OpenLedgerError('internal', 'Something went wrong on our side')
  const row = errorTable[known.code]
  const headers: Record<string, string> =
    row.retryAfterSeconds === undefined ? {} : { 'retry-after': String(row.retryAfterSeconds) }
  if (row.status >= 500)
    logger.error('request.failed', { path: route.path, code: known.code, error: error as Error })
  else logger.info('request.refused', { path: route.path, code: known.code })
  if (isModelRoute(route)) {
    return json(
      row.status,
      { error: { message: known.message, type: row.openAiType, param: null, code: known.code } },
      headers,
    )
  }
  return json(
    row.status,
    {
      type: `urn:openledger:error:${known.code}`,
      title: row.title,
      status: row.status,
      code: known.code,
      detail: known.message,
      ...(known.expected === undefined ? {} : { expected: known.expected }),
      ...(known.seen === undefined ? {} : { seen: known.seen }),
    },
    { 'content-type': 'application/problem+json', ...headers },
  )
}

function isModelRoute(route: Route) {
  return route.path.startsWith('/v1/chat/') || route.path === '/v1/models'
}

function problems(route: Route) {
  return {
    onError: (request: middy.Request<APIGatewayProxyEvent, APIGatewayProxyResult>) => {
      request.response = errorAnswer(route, request.error)
    },
  }
}

/** The interface is public and carries no cookies, so every origin may call it. */
function crossOrigin() {
  const add = (request: middy.Request<APIGatewayProxyEvent, APIGatewayProxyResult>) => {
    if (request.response) {
      request.response.headers = { ...request.response.headers, 'access-control-allow-origin': '*' }
    }
  }
  return { after: add, onError: add }
}
