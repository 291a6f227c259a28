import { openApiDocument } from '../../api/open-api.ts'
import { routes } from '../../api/routes.ts'
import { handler } from '../../functions/http/get-open-api.ts'

type Operation = {
  operationId: string
  parameters?: { name: string; in: string; required: boolean }[]
  requestBody?: { content: { 'application/json': { schema: Record<string, unknown> } } }
  responses: Record<string, { content?: Record<string, { schema: Record<string, unknown> }> }>
  security?: unknown
}
const document = openApiDocument({ baseUrl: 'https://example.org' }) as {
  paths: Record<string, Record<string, Operation>>
  servers: unknown
  components: { schemas: Record<string, unknown> }
}
const operations = Object.values(document.paths).flatMap(item => Object.values(item))

describe('the OpenAPI document', () => {
  test('holds every route of the table once', () => {
    expect(operations.map(({ operationId }) => operationId).sort()).toEqual(Object.keys(routes).sort())
  })

  test('names every parameter of every path', () => {
    for (const [path, item] of Object.entries(document.paths)) {
      const names = [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name)
      for (const { operationId, parameters = [] } of Object.values(item)) {
        const described = parameters.filter(({ in: where, required }) => where === 'path' && required)
        expect([operationId, described.map(({ name }) => name).sort()]).toEqual([operationId, names.sort()])
      }
    }
  })

  test('a ballot is described as the service checks it', () => {
    const ballot =
      document.paths['/v1/proposals/{id}/ballots']?.post?.requestBody?.content['application/json'].schema
    expect(ballot).toMatchObject({
      type: 'object',
      additionalProperties: false,
      required: ['voter', 'support', 'nonce', 'signature'],
      properties: { voter: { pattern: '^0x[0-9a-fA-F]{40}$' } },
    })
  })

  test('says which routes take a key, which stream and which speak the error object of OpenAI', () => {
    const chat = document.paths['/v1/chat/completions']?.post
    expect(chat?.security).toEqual([{ apiKey: [] }])
    expect(Object.keys(chat?.responses[200]?.content ?? {})).toEqual([
      'application/json',
      'text/event-stream',
    ])
    expect(chat?.responses.default?.content).toEqual({
      'application/json': { schema: { $ref: '#/components/schemas/ChatFailure' } },
    })
    expect(document.paths['/v1/genesis']?.get?.security).toBeUndefined()
  })

  test('every reference has its component', () => {
    const references = [...JSON.stringify(document).matchAll(/"#\/components\/schemas\/(\w+)"/g)].map(
      ([, name]) => name ?? '',
    )
    expect(references.length).toBeGreaterThan(Object.keys(routes).length - 1)
    for (const name of references) expect(document.components.schemas).toHaveProperty(name)
  })

  test('is what the deployment serves', async () => {
    const event = {
      headers: {},
      pathParameters: null,
      queryStringParameters: null,
      body: null,
      isBase64Encoded: false,
    }
    const answer = (await handler(event as never, {} as never)) as { statusCode: number; body: string }
    expect(answer.statusCode).toBe(200)
    expect(JSON.parse(answer.body)).toEqual(JSON.parse(JSON.stringify(openApiDocument())))
  })
})
