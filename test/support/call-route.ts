import type { APIGatewayProxyEvent, APIGatewayProxyResult, Context } from 'aws-lambda'

type Handler = (event: APIGatewayProxyEvent, context: Context) => Promise<APIGatewayProxyResult>
type Parts = {
  readonly params?: Readonly<Record<string, string>>
  readonly query?: Readonly<Record<string, string>>
  readonly body?: unknown
}

/** Calls a route's handler as the gateway does. */
// biome-ignore lint/suspicious/noExplicitAny: a test reads whatever the route answers
export async function callRoute(handler: unknown, parts: Parts = {}): Promise<{ status: number; body: any }> {
  const event = {
    pathParameters: parts.params ?? null,
    queryStringParameters: parts.query ?? null,
    headers: {},
    body: parts.body === undefined ? null : JSON.stringify(parts.body),
    isBase64Encoded: false,
  } as unknown as APIGatewayProxyEvent
  const answer = await (handler as Handler)(event, {} as Context)
  return { status: answer.statusCode, body: answer.body === '' ? null : JSON.parse(answer.body) }
}
