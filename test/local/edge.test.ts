import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { createServer, request as httpRequest, type IncomingMessage, type Server } from 'node:http'
import { type AddressInfo, connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import fc from 'fast-check'
import { type Edge, startEdge } from '../../local/edge/edge.ts'
import { routesOf } from '../../local/edge/routing.ts'
import { proveRuns } from '../support/prove-runs.ts'

let folder: string
let emulator: Server
let edge: Edge
const seen: { method: string; url: string; headers: IncomingMessage['headers']; body: string }[] = []
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'openledger-edge-'))
  const pages = join(folder, 'pages')
  mkdirSync(join(pages, 'parts'), { recursive: true })
  writeFileSync(join(pages, 'index.html'), '<!doctype html><title>Life</title>')
  writeFileSync(join(pages, 'parts/chart.js'), 'export {}')
  writeFileSync(join(pages, '.secret'), 'hidden')
  writeFileSync(join(folder, 'outside.txt'), 'outside')
  symlinkSync(join(folder, 'outside.txt'), join(pages, 'link.txt'))
  emulator = createServer(async (request, response) => {
    let body = ''
    for await (const chunk of request) body += chunk
    seen.push({ method: request.method ?? '', url: request.url ?? '', headers: request.headers, body })
    if (request.url?.endsWith('/v1/genesis')) {
      return void response
        .writeHead(200, { 'content-type': 'application/json', connection: 'close' })
        .end('{"schema":1}')
    }
    if (request.url?.includes('/v1/files/'))
      return void response.writeHead(302, { location: 'http://store/x' }).end()
    response.writeHead(404, { 'content-type': 'application/problem+json' }).end('{"code":"not-found"}')
  })
  await new Promise<void>(done => emulator.listen(0, '127.0.0.1', done))
  edge = await startEdge({
    port: 0,
    emulatorUrl: `http://127.0.0.1:${(emulator.address() as AddressInfo).port}`,
    apiId: 'abc123',
    stageName: 'v',
    environmentOfStreamedFunctions: { 'serving/create-chat-completion': { POWERTOOLS_LOG_LEVEL: 'SILENT' } },
    pagesDir: pages,
  })
})
afterAll(async () => {
  await edge?.stop()
  emulator.closeAllConnections()
  await new Promise(done => emulator.close(done))
  rmSync(folder, { recursive: true, force: true })
})
beforeEach(() => {
  seen.length = 0
})

const at = (path: string, init?: RequestInit) => fetch(`${edge.url}${path}`, { redirect: 'manual', ...init })
const problemOf = async (response: Response) => {
  expect(response.headers.get('content-type')).toBe('application/problem+json')
  return { status: response.status, ...((await response.json()) as { code: string }) }
}
/** A request whose path goes out as it is written; fetch would tidy it up. */
function raw(path: string, method = 'GET', headers: Record<string, string> = {}) {
  const { hostname, port } = new URL(edge.url)
  return new Promise<{ status: number; body: string; headers: IncomingMessage['headers'] }>(
    (resolve, reject) => {
      const request = httpRequest({ hostname, port, path, method, headers }, async response => {
        let body = ''
        for await (const chunk of response) body += chunk
        resolve({ status: response.statusCode ?? 0, body, headers: response.headers })
      })
      request.once('error', reject)
      request.end()
    },
  )
}
/** Whatever the edge says to these bytes, or '' when it just hangs up. */
function bytes(text: string | Buffer): Promise<string> {
  const { hostname, port } = new URL(edge.url)
  return new Promise(resolve => {
    let answer = ''
    const socket = connect(Number(port), hostname, () => socket.end(text))
    socket.setTimeout(3_000, () => socket.destroy())
    socket.on('data', data => {
      answer += data
    })
    socket.on('error', () => undefined)
    socket.on('close', () => resolve(answer))
  })
}
const isAlive = async () => expect((await at('/v1/genesis')).status).toBe(200)

describe('the base URL', () => {
  test('carries a route to the deployed API, and its answer back', async () => {
    const response = await at('/v1/proposals?limit=2&cursor=a%2Fb', {
      headers: { authorization: 'Bearer x' },
    })
    expect(response.status).toBe(404)
    expect(seen[0]).toMatchObject({
      method: 'GET',
      url: '/restapis/abc123/v/_user_request_/v1/proposals?limit=2&cursor=a%2Fb',
    })
    expect(seen[0]?.headers.authorization).toBe('Bearer x')
  })

  test('passes a body on as it is', async () => {
    const body = JSON.stringify({ reason: 'zwölf €' })
    await at(`/v1/proposals/0x${'a'.repeat(64)}/ballots`, { method: 'POST', body })
    expect(seen[0]).toMatchObject({ method: 'POST', body })
    expect(seen[0]?.headers['content-length']).toBe(String(Buffer.byteLength(body)))
  })

  test('hands a redirect to a file to the client', async () => {
    const response = await at('/v1/files/log/tile/0/x001/067')
    expect([response.status, response.headers.get('location')]).toEqual([302, 'http://store/x'])
    expect(seen[0]?.url).toBe('/restapis/abc123/v/_user_request_/v1/files/log/tile/0/x001/067')
  })

  test('answers HEAD as GET without the body', async () => {
    const response = await at('/v1/genesis', { method: 'HEAD' })
    expect([response.status, await response.text()]).toEqual([200, ''])
    expect(seen[0]?.method).toBe('GET')
  })

  test('tells browsers of every origin what they may send', async () => {
    const preflight = await at('/v1/keys', { method: 'OPTIONS', headers: { origin: 'https://example.org' } })
    expect(preflight.status).toBe(204)
    expect(preflight.headers.get('access-control-allow-origin')).toBe('*')
    expect(preflight.headers.get('access-control-allow-methods')).toBe('POST, OPTIONS')
    expect(preflight.headers.get('access-control-allow-headers')).toContain('authorization')
    expect((await at('/v1/genesis')).headers.get('access-control-allow-origin')).toBe('*')
    expect(seen).toHaveLength(1)
  })

  test('names the methods of a path that is asked by another', async () => {
    const response = await at('/v1/models', { method: 'DELETE' })
    expect(response.headers.get('allow')).toBe('GET, HEAD, OPTIONS')
    expect(await problemOf(response)).toMatchObject({ status: 405, code: 'malformed' })
  })

  test('says that there is nothing at other paths', async () => {
    for (const path of [
      '/v1',
      '/v1/nothing',
      '/v2/genesis',
      '/v1/genesis/',
      '/restapis/abc123/v/_user_request_/v1/genesis',
    ]) {
      expect(await problemOf(await at(path))).toMatchObject({ status: 404, code: 'not-found' })
    }
    expect(seen).toEqual([])
  })

  test('a fixed path goes before one with a parameter', () => {
    expect(routesOf('/v1/key').map(({ route }) => route.handler)).toEqual(['serving/get-key'])
    expect(routesOf('/v1/files/a/b')[0]?.params).toMatchObject({ key: 'a/b' })
    expect(routesOf('/v1/files/')).toEqual([])
  })

  test('says so when the emulator does not answer', async () => {
    const dead = await startEdge({
      port: 0,
      emulatorUrl: 'http://127.0.0.1:9',
      apiId: 'x',
      stageName: 'v',
      environmentOfStreamedFunctions: {},
      pagesDir: folder,
    })
    const response = await fetch(`${dead.url}/v1/genesis`)
    expect(await problemOf(response)).toMatchObject({ status: 502, code: 'unavailable' })
    await dead.stop()
  })
})

describe('the pages', () => {
  test('are served with a policy that lets nothing foreign in', async () => {
    const response = await at('/')
    expect(await response.text()).toContain('<title>Life</title>')
    expect(response.headers.get('content-type')).toBe('text/html; charset=utf-8')
    const policy = response.headers.get('content-security-policy') ?? ''
    expect(policy).toContain("default-src 'none'")
    expect(policy).toContain("script-src 'self';")
    expect(policy).not.toMatch(/unsafe|\*/)
    expect(response.headers.get('x-content-type-options')).toBe('nosniff')
    expect((await at('/parts/chart.js')).headers.get('content-type')).toBe('text/javascript; charset=utf-8')
  })

  test('have nothing hidden, nothing outside of their folder and nothing by a link', async () => {
    const paths = [
      '/.secret',
      '/../outside.txt',
      '/%2e%2e/outside.txt',
      '/..%2foutside.txt',
      '/link.txt',
      '/parts',
      '/parts/',
    ]
    for (const path of [...paths, '/..%5coutside.txt', '/index.html%00.txt', '/%252e%252e/outside.txt']) {
      const { status, body } = await raw(path)
      expect([path, [400, 404].includes(status)]).toEqual([path, true])
      expect(body).not.toMatch(/outside"|hidden/)
    }
  })

  test('take GET and HEAD only', async () => {
    expect((await at('/', { method: 'HEAD' })).status).toBe(200)
    expect(await problemOf(await at('/', { method: 'POST', body: 'x' }))).toMatchObject({ status: 404 })
  })
})

describe('hostile input', () => {
  test('cannot climb out of the API, however it is encoded', async () => {
    const climbs = [
      '../',
      '..%2f',
      '%2e%2e/',
      '%2e%2e%2f',
      '%252e%252e%252f',
      '%25252e%25252e%25252f',
      '..%5c',
      '..\\',
    ]
    for (const climb of climbs) {
      const { status } = await raw(`/v1/files/${climb.repeat(4)}s3/bucket`)
      expect([climb, [400, 404].includes(status)]).toEqual([climb, true])
    }
    expect(seen.filter(({ url }) => !url.startsWith('/restapis/abc123/v/_user_request_/v1/'))).toEqual([])
    expect(seen).toEqual([])
  })

  test('is answered or dropped, and the next caller is served', async () => {
    const hostile = [
      'not http at all\r\n\r\n',
      `GET / HTTP/1.1\r\nhost: x\r\n${'a: b\r\n'.repeat(5_000)}\r\n`,
      `GET /${'a'.repeat(100_000)} HTTP/1.1\r\nhost: x\r\n\r\n`,
      'GET http://169.254.169.254/latest/meta-data HTTP/1.1\r\nhost: x\r\n\r\n',
      'GET * HTTP/1.1\r\nhost: x\r\n\r\n',
      'CONNECT example.org:443 HTTP/1.1\r\nhost: example.org\r\n\r\n',
      'GET / HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n',
      'POST /v1/keys HTTP/1.1\r\nhost: x\r\ncontent-length: -1\r\n\r\n',
      'POST /v1/keys HTTP/1.1\r\nhost: x\r\ncontent-length: 4\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n',
      'POST /v1/keys HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\nZZ\r\n',
      'POST /v1/keys HTTP/1.1\r\nhost: x\r\ncontent-length: 1000\r\n\r\nhalf',
      'OPTIONS * HTTP/1.1\r\nhost: x\r\n\r\n',
      Buffer.from([0x16, 0x03, 0x01, 0x02, 0x00, 0x01, 0x00]),
    ]
    for (const text of hostile) {
      const answer = await bytes(text)
      expect(answer).not.toMatch(/^HTTP\/1\.1 (2|5)/)
    }
    await isAlive()
    expect(seen.map(({ url }) => url)).toEqual(['/restapis/abc123/v/_user_request_/v1/genesis'])
  }, 60_000)

  test('with a body that is too large is refused before it is read', async () => {
    const declared = await bytes('POST /v1/keys HTTP/1.1\r\nhost: x\r\ncontent-length: 999999999\r\n\r\n')
    expect(declared).toMatch(/^HTTP\/1\.1 413 /)
    const endless = new ReadableStream({
      async pull(controller) {
        await sleep(1)
        controller.enqueue(new Uint8Array(1_000_000))
      },
    })
    const sent = at('/v1/keys', { method: 'POST', body: endless, duplex: 'half' } as RequestInit)
    await expect(sent.then(response => response.status)).resolves.toBe(413)
    expect(seen).toEqual([])
    await isAlive()
  }, 30_000)

  test('of any path is answered by a status, never by a broken connection', async () => {
    const segment = fc.oneof(
      fc.constantFrom(
        'v1',
        'files',
        'proposals',
        '..',
        '.',
        '%2e%2e',
        '%',
        '%zz',
        '%00',
        '%ff',
        '',
        'genesis',
        '\\',
        ';',
        '?',
        '{id}',
      ),
      fc.string({ unit: fc.constantFrom(...'abcé0%/.\\?&=+~'), maxLength: 12 }),
    )
    await fc.assert(
      fc.asyncProperty(
        fc.array(segment, { maxLength: 6 }),
        fc.constantFrom('GET', 'POST', 'PUT', 'HEAD', 'OPTIONS', 'DELETE', 'PATCH'),
        async (segments, method) => {
          const path = `/${segments.join('/')}`.replace(/[^\x21-\x7e]/g, '')
          const { status } = await raw(path, method)
          expect([path, status >= 200 && status < 500]).toEqual([path, true])
        },
      ),
      proveRuns(1),
    )
    await isAlive()
  }, 60_000)

  test('to the streamed route is refused by the function itself', async () => {
    const response = await at('/v1/chat/completions', { method: 'POST', body: '{"model":' })
    expect(response.status).toBe(400)
    expect(await response.json()).toMatchObject({
      error: { code: 'malformed', type: 'invalid_request_error' },
    })
    expect(response.headers.get('access-control-allow-origin')).toBe('*')
  }, 60_000)
})
