import * as z from 'zod'
import { type Route, routes } from './routes.ts'
import { problem } from './schemas/common.ts'
import { chatCompletionChunk, chatFailure } from './schemas/serving.ts'

/**
 * The interface as an OpenAPI 3.1 document, made of the route table. Pure: the same table gives the same text.
 * Requests are described as clients write them and answers as they are sent (before the client's transforms).
 */

type Json = { readonly [key: string]: unknown }

/** @param facts.baseUrl where this deployment answers; left out, the document is relative to where it was read */
export function openApiDocument(facts: { readonly baseUrl?: string } = {}): Json {
  return {
    openapi: '3.1.0',
    info: {
      title: 'OpenLedger',
      version: '1',
      description:
        'A community owns the life of an AI model: votes, data, judgments, revenue and the model itself.',
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
    },
    servers: [{ url: facts.baseUrl ?? '/' }],
    paths: pathItems(),
    components: {
      schemas: { Problem: jsonSchema(problem), ChatFailure: jsonSchema(chatFailure) },
      securitySchemes: {
        apiKey: {
          type: 'http',
          scheme: 'bearer',
          description: 'An API key that was bought by a deposit on chain.',
        },
      },
    },
  }
}

/** A zod schema as JSON Schema 2020-12; what JSON Schema cannot say becomes "anything". */
export function jsonSchema(schema: z.ZodType): Json {
  const { $schema: _, ...json } = z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' })
  return json
}

/** The OpenAI-shaped routes answer failures in OpenAI's error object, all others in RFC 9457 problem details. */
function isModelRoute({ path }: Pick<Route, 'path'>): boolean {
  return path === '/v1/models' || path.startsWith('/v1/chat/')
}

function pathItems(): Json {
  const items: Record<string, Record<string, Json>> = {}
  for (const [operationId, route] of Object.entries(routes) as [string, Route][]) {
    // OpenAPI has no name for "the rest of the path"; the parameter's description says it.
    const path = route.path.replace('+}', '}')
    items[path] ??= {}
    items[path][route.method.toLowerCase()] = operation(operationId, route)
  }
  return items
}

function operation(operationId: string, route: Route): Json {
  const parameters = [
    ...parametersOf(route.params, 'path', route.path),
    ...parametersOf(route.query, 'query', route.path),
  ]
  return {
    operationId,
    summary: route.summary,
    tags: [route.handler.split('/')[0]],
    ...(parameters.length === 0 ? {} : { parameters }),
    ...(route.body === undefined
      ? {}
      : {
          requestBody: {
            required: true,
            content: { 'application/json': { schema: jsonSchema(route.body) } },
          },
        }),
    responses: {
      ...success(route),
      default: {
        description: 'A refusal or a failure',
        content: isModelRoute(route)
          ? { 'application/json': { schema: { $ref: '#/components/schemas/ChatFailure' } } }
          : { 'application/problem+json': { schema: { $ref: '#/components/schemas/Problem' } } },
      },
    },
    ...(route.auth === 'key' ? { security: [{ apiKey: [] }] } : {}),
  }
}

function success(route: Route): Json {
  if (route.response instanceof z.ZodNull) {
    return {
      302: {
        description: 'Where the bytes are',
        headers: { location: { schema: { type: 'string', format: 'uri' } } },
      },
    }
  }
  const content = { 'application/json': { schema: jsonSchema(route.response) } }
  if (!route.streamed) return { 200: { description: 'Done', content } }
  const events = { 'text/event-stream': { schema: jsonSchema(chatCompletionChunk) } }
  return {
    200: {
      description: 'Done, or with `stream: true` one event a chunk',
      content: { ...content, ...events },
    },
  }
}

function parametersOf(schema: z.ZodObject | undefined, where: 'path' | 'query', path: string): Json[] {
  if (schema === undefined) return []
  const { properties = {}, required = [] } = jsonSchema(schema) as { properties?: Json; required?: string[] }
  return Object.entries(properties).map(([name, property]) => ({
    name,
    in: where,
    required: where === 'path' || required.includes(name),
    ...(path.includes(`{${name}+}`) ? { description: 'The rest of the path, with its slashes' } : {}),
    schema: property,
  }))
}
