import { Aws } from 'aws-cdk-lib'
import type { IFunction } from 'aws-cdk-lib/aws-lambda'
import type { Route } from '../../api/routes.ts'

/** API Gateway's longest wait for a streamed answer; a buffered one ends at 29 s. */
const STREAMED_TIMEOUT_MS = 900_000
const BUFFERED_TIMEOUT_MS = 29_000
const CORS_MAX_AGE_SECONDS = 86_400

type Operation = Record<string, unknown>
export type GatewayDocument = { readonly paths: Record<string, Record<string, Operation>> } & Record<
  string,
  unknown
>

/**
 * The routes as an OpenAPI document with API Gateway's extensions: which function answers, and how. Requests are
 * checked by the functions, with the same schemas on AWS and on one machine, so that a refusal reads alike; the
 * document for people, with all schemas, is `GET /openapi.json`.
 */
export function gatewayDocument(
  title: string,
  routes: Readonly<Record<string, Route>>,
  functionOf: (route: Route) => IFunction,
): GatewayDocument {
  const paths: Record<string, Record<string, Operation>> = {}
  for (const [operationId, route] of Object.entries(routes)) {
    const path = paths[route.path] ?? { options: preflight(route.path) }
    paths[route.path] = path
    path[route.method.toLowerCase()] = {
      operationId,
      summary: route.summary,
      parameters: pathParameters(route.path),
      responses: { default: { description: 'As in /openapi.json' } },
      'x-amazon-apigateway-integration': integration(functionOf(route), route.streamed === true),
    }
  }
  return {
    openapi: '3.0.1',
    info: { title, version: '1' },
    paths,
    'x-amazon-apigateway-gateway-responses': {
      DEFAULT_4XX: problem('malformed'),
      DEFAULT_5XX: problem('unavailable'),
    },
  }
}

function integration(target: IFunction, streamed: boolean): Operation {
  const [version, invocation] = streamed
    ? ['2021-11-15', 'response-streaming-invocations']
    : ['2015-03-31', 'invocations']
  return {
    type: 'aws_proxy',
    httpMethod: 'POST',
    uri: `arn:${Aws.PARTITION}:apigateway:${Aws.REGION}:lambda:path/${version}/functions/${target.functionArn}/${invocation}`,
    timeoutInMillis: streamed ? STREAMED_TIMEOUT_MS : BUFFERED_TIMEOUT_MS,
    ...(streamed ? { responseTransferMode: 'STREAM' } : {}),
  }
}

/** The interface carries no cookies, so every origin may ask; the answer itself needs no function. */
function preflight(path: string): Operation {
  const headers = {
    'access-control-allow-origin': '*',
    'access-control-allow-methods': 'GET,POST,PUT,DELETE,OPTIONS',
    'access-control-allow-headers': 'authorization,content-type',
    'access-control-max-age': String(CORS_MAX_AGE_SECONDS),
  }
  return {
    summary: 'Cross-origin preflight',
    parameters: pathParameters(path),
    responses: {
      204: {
        description: 'Allowed',
        headers: Object.fromEntries(Object.keys(headers).map(name => [name, { schema: { type: 'string' } }])),
      },
    },
    'x-amazon-apigateway-integration': {
      type: 'mock',
      requestTemplates: { 'application/json': '{"statusCode":204}' },
      responses: {
        default: {
          statusCode: '204',
          responseParameters: Object.fromEntries(
            Object.entries(headers).map(([name, value]) => [`method.response.header.${name}`, `'${value}'`]),
          ),
        },
      },
    },
  }
}

function pathParameters(path: string): Operation[] {
  return [...path.matchAll(/\{([a-zA-Z]+)\+?\}/g)].map(([, name]) => ({
    name,
    in: 'path',
    required: true,
    schema: { type: 'string' },
  }))
}

/** What the gateway itself refuses also reads as RFC 9457 says, and a browser may read it. */
function problem(code: string) {
  return {
    responseParameters: { 'gatewayresponse.header.access-control-allow-origin': "'*'" },
    responseTemplates: {
      'application/problem+json': JSON.stringify({
        type: `urn:openledger:error:${code}`,
        title: '$context.error.responseType',
        code,
        detail: '$context.error.message',
      }),
    },
  }
}
