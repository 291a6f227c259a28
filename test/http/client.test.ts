import { createServer, type IncomingMessage, type RequestListener, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { ApiError, createClient } from '../../api/client.ts'

/** A server that remembers what it was asked and answers as the test says. */
async function aService(answer: RequestListener) {
  const seen: { method: string; url: string; headers: IncomingMessage['headers']; body: string }[] = []
  const server = createServer(async (request, response) => {
    let body = ''
    for await (const chunk of request) body += chunk
    seen.push({ method: request.method ?? '', url: request.url ?? '', headers: request.headers, body })
    answer(request, response)
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  servers.push(server)
  return { baseUrl: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, seen }
}

const servers: Server[] = []
afterEach(async () => {
  for (const server of servers.splice(0)) {
    server.closeAllConnections()
    await new Promise(resolve => server.close(resolve))
  }
})

const json = (status: number, body: unknown, headers = {}): RequestListener => {
  return (_, response) => {
    response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(body))
  }
}
const failure = (call: Promise<unknown>): Promise<ApiError> =>
  call.then(
    () => Promise.reject(new Error('it did not fail')),
    error => {
      expect(error).toBeInstanceOf(ApiError)
      return error
    },
  )
const id = `0x${'a'.repeat(64)}`
const ballot = {
  voter: `0x${'1'.repeat(40)}`,
  support: 1,
  nonce: 7,
  signature: `0x${'b'.repeat(130)}`,
} as const
const messages = [{ role: 'user', content: 'hello' }] as const

describe('the typed client', () => {
  test('puts path, query and body where the route table says', async () => {
    const answer = { proposalId: id, voter: ballot.voter, counted: true, powerWei: '12', receipt: null }
    const service = await aService(json(200, answer))
    const client = createClient({ baseUrl: `${service.baseUrl}/` })
    expect(await client.call('castBallot', { params: { id }, body: ballot })).toEqual(answer)
    await failure(client.call('listProposals', { query: { limit: 3, cursor: 'a b' } }))
    expect(service.seen.map(({ method, url }) => `${method} ${url}`)).toEqual([
      `POST /v1/proposals/${id}/ballots`,
      'GET /v1/proposals?limit=3&cursor=a+b',
    ])
    expect(JSON.parse(service.seen[0]?.body ?? '')).toEqual(ballot)
  })

  test('sends the key only where the route takes one', async () => {
    const service = await aService(json(404, {}))
    const client = createClient({ baseUrl: service.baseUrl, apiKey: 'olk_secret' })
    await failure(client.call('getGenesis'))
    await failure(client.call('getKey'))
    expect(service.seen.map(({ headers }) => headers.authorization)).toEqual([undefined, 'Bearer olk_secret'])
  })

  test('a refusal is an ApiError with the problem details', async () => {
    const details = {
      type: 'urn:openledger:error:proposal-not-open',
      title: 'The vote is not open',
      status: 409,
      code: 'proposal-not-open',
      detail: 'Ballots are taken only while the vote is open',
      expected: 'active',
      seen: 'closing',
    }
    const service = await aService(json(409, details, { 'retry-after': '5' }))
    const error = await failure(createClient(service).call('castBallot', { params: { id }, body: ballot }))
    expect(error).toMatchObject({
      operation: 'castBallot',
      status: 409,
      code: 'proposal-not-open',
      message: details.detail,
      expected: 'active',
      seen: 'closing',
      retryAfterSeconds: 5,
    })
  })

  test("a refusal under the model routes is OpenAI's error object", async () => {
    const error = {
      message: 'The credit is used up',
      type: 'insufficient_quota',
      param: null,
      code: 'credit-exhausted',
    }
    const service = await aService(json(402, { error }))
    const seen = await failure(
      createClient(service).call('createChatCompletion', { body: { model: 'm', messages: [...messages] } }),
    )
    expect(seen).toMatchObject({
      status: 402,
      code: 'credit-exhausted',
      title: 'insufficient_quota',
      message: error.message,
    })
  })

  test('an answer that is not the promised one is named, not passed on', async () => {
    const service = await aService(json(200, { counted: 'yes' }))
    const error = await failure(createClient(service).call('getKey'))
    expect(error).toMatchObject({ status: 200, code: 'unexpected-answer' })
    const html = await aService((_, response) => response.writeHead(502).end('<html>'))
    expect(await failure(createClient(html).call('getKey'))).toMatchObject({
      status: 502,
      code: 'unexpected-answer',
      seen: '<html>',
    })
  })

  test('nobody at home is an ApiError without a status', async () => {
    const { baseUrl } = await aService(() => undefined)
    await new Promise(resolve => servers.pop()?.close(resolve))
    const error = await failure(createClient({ baseUrl }).call('getGenesis'))
    expect(error).toMatchObject({ status: 0, code: 'unreachable' })
    expect(error.seen).toContain('ECONNREFUSED')
  })

  test('a service that hangs is given up after the time limit', async () => {
    const service = await aService(() => undefined)
    const error = await failure(createClient({ ...service, timeoutMs: 100 }).call('getGenesis'))
    expect(error).toMatchObject({ status: 0, code: 'unreachable', seen: 'no answer within 100 ms' })
  })

  test('a file is followed to its bytes, and the key stays behind', async () => {
    const store = await aService((_, response) => response.end(Buffer.from([0, 1, 255])))
    const service = await aService((_, response) =>
      response.writeHead(302, { location: `${store.baseUrl}/object?sig=1` }).end(),
    )
    const client = createClient({ baseUrl: service.baseUrl, apiKey: 'olk_secret' })
    const bytes = await client.call('getFile', { params: { key: 'log/tile/0/x001/067' } })
    expect([...bytes]).toEqual([0, 1, 255])
    expect(service.seen[0]?.url).toBe('/v1/files/log/tile/0/x001/067')
    expect(store.seen[0]?.headers.authorization).toBeUndefined()
  })

  test('a file key cannot climb to another route', async () => {
    const client = createClient({ baseUrl: 'http://127.0.0.1:1' })
    await expect(client.call('getFile', { params: { key: '../genesis' } })).rejects.toThrow(TypeError)
  })
})

describe('a streamed chat', () => {
  const chunk = (content: string) => ({
    id: 'c1',
    object: 'chat.completion.chunk',
    created: 1,
    model: 'm',
    choices: [{ index: 0, delta: { content }, finish_reason: null }],
  })
  const stream = (...parts: (string | Buffer)[]): RequestListener => {
    return async (_, response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' })
      for (const part of parts) {
        response.write(part)
        await new Promise(resolve => setTimeout(resolve, 1))
      }
      response.end()
    }
  }
  const contents = async (baseUrl: string) => {
    const seen: (string | null | undefined)[] = []
    for await (const { choices } of createClient({ baseUrl }).streamChat({
      model: 'm',
      messages: [...messages],
    })) {
      seen.push(choices[0]?.delta.content)
    }
    return seen
  }

  test('is asked for as a stream and survives chunks cut anywhere', async () => {
    const whole = Buffer.from(
      `data: ${JSON.stringify(chunk('zwölf €'))}\n\ndata: ${JSON.stringify(chunk('!'))}\r\n\r\ndata: [DONE]\n\n`,
    )
    const service = await aService(stream(...Array.from(whole, byte => Buffer.from([byte]))))
    expect(await contents(service.baseUrl)).toEqual(['zwölf €', '!'])
    expect(JSON.parse(service.seen[0]?.body ?? '')).toMatchObject({ stream: true })
  })

  test('a failure in the middle is thrown after what came before', async () => {
    const error = { message: 'The model stopped', type: 'server_error', param: null, code: 'unavailable' }
    const service = await aService(
      stream(`data: ${JSON.stringify(chunk('a'))}\n\n`, `data: ${JSON.stringify({ error })}\n\n`),
    )
    const seen: unknown[] = []
    const reading = (async () => {
      for await (const part of createClient(service).streamChat({ model: 'm', messages: [...messages] }))
        seen.push(part)
    })()
    expect(await failure(reading)).toMatchObject({ code: 'unavailable', message: 'The model stopped' })
    expect(seen).toHaveLength(1)
  })

  test('an answer that just ends is not taken for a whole one', async () => {
    const service = await aService(stream(`data: ${JSON.stringify(chunk('a'))}\n\n`))
    expect(await failure(contents(service.baseUrl))).toMatchObject({ code: 'unexpected-answer' })
  })

  test('leaving the loop ends the connection', async () => {
    let closed: () => void = () => undefined
    const isClosed = new Promise<void>(resolve => {
      closed = resolve
    })
    const service = await aService((_, response) => {
      response.on('close', closed)
      response.writeHead(200).write(`data: ${JSON.stringify(chunk('a'))}\n\n`)
    })
    for await (const _ of createClient(service).streamChat({ model: 'm', messages: [...messages] })) break
    await isClosed
  })
})
