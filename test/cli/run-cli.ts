/** The command line as a person runs it: in a folder of its own, with what it printed and its exit code. */
import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { type OperationId, type Route, routes } from '../../api/routes.ts'
import { openLedger } from '../../cli/program.ts'

export type Ran = {
  readonly exit: number
  readonly out: string
  readonly err: string
  /** What was printed as JSON. */
  readonly json: () => Record<string, unknown>
}

/** A folder with the given files by path; gone after the test. */
export function aFolder(files: Readonly<Record<string, string | Uint8Array>> = {}) {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), 'openledger-cli-')))
  const write = (path: string, content: string | Uint8Array) => {
    mkdirSync(dirname(join(folder, path)), { recursive: true })
    writeFileSync(join(folder, path), content)
    return join(folder, path)
  }
  for (const [path, content] of Object.entries(files)) write(path, content)
  return { folder, write, remove: () => rmSync(folder, { recursive: true, force: true }) }
}

/** Runs `openledger ...argv` in a folder; secrets of the machine's own environment are not seen. */
export async function run(
  folder: string,
  argv: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<Ran> {
  const before = process.cwd()
  const outside = { ...process.env }
  const printed = { out: '', err: '' }
  const lines =
    (to: 'out' | 'err') =>
    (...args: unknown[]) => {
      printed[to] += `${args.join(' ')}\n`
    }
  const { log, error } = console
  const writers = [process.stdout.write, process.stderr.write] as const
  const writer = (to: 'out' | 'err') => (text: string | Uint8Array) => {
    printed[to] += String(text)
    return true
  }
  Object.assign(console, { log: lines('out'), error: lines('err') })
  process.stdout.write = writer('out')
  process.stderr.write = writer('err')
  for (const name of ['OPENLEDGER_KEY', 'OPENLEDGER_API_KEY']) delete process.env[name]
  Object.assign(process.env, env)
  process.chdir(folder)
  try {
    const exit = await openLedger(['node', 'openledger', ...argv])
    return { exit, ...printed, json: () => JSON.parse(printed.out) as Record<string, unknown> }
  } finally {
    process.chdir(before)
    for (const name of Object.keys(env)) delete process.env[name]
    Object.assign(process.env, outside)
    Object.assign(console, { log, error })
    process.stdout.write = writers[0]
    process.stderr.write = writers[1]
  }
}

/** What a deployment answers to an operation: a value as JSON, bytes as a file, or a refusal. */
export type Answers = Partial<Record<OperationId, (input: Input) => unknown>>
export type Input = { readonly params: Readonly<Record<string, string>>; readonly query: URLSearchParams }

/** Thrown by an answer: problem details (RFC 9457). */
export class Refused {
  readonly status: number
  readonly code: string
  readonly retryAfterSeconds: number | undefined
  constructor(status: number, code: string, retryAfterSeconds?: number) {
    this.status = status
    this.code = code
    this.retryAfterSeconds = retryAfterSeconds
  }
}

/** An HTTP server on 127.0.0.1 with the paths of the interface; `null` never answers. */
export async function aDeployment(
  answers: Answers | null,
): Promise<{ baseUrl: string; open: () => Promise<number>; close: () => Promise<void> }> {
  const server = createServer((request, response) => {
    if (answers === null) return
    const url = new URL(request.url ?? '/', 'http://127.0.0.1')
    const found = Object.entries(routes as Record<string, Route>).flatMap(([operation, route]) => {
      const params = route.method === request.method ? matched(route.path, url.pathname) : null
      return params === null ? [] : [{ answer: answers[operation as OperationId], params }]
    })[0]
    try {
      if (found?.answer === undefined) throw new Refused(404, 'not-found')
      const value = found.answer({ params: found.params, query: url.searchParams })
      const isFile = value instanceof Uint8Array
      response.setHeader('content-type', isFile ? 'application/octet-stream' : 'application/json')
      response.end(isFile ? value : JSON.stringify(value))
    } catch (error) {
      if (!(error instanceof Refused)) throw error
      const { status, code, retryAfterSeconds } = error
      if (retryAfterSeconds !== undefined) response.setHeader('retry-after', retryAfterSeconds)
      const problem = {
        type: `urn:openledger:${code}`,
        title: code,
        status,
        code,
        detail: `Refused: ${code}`,
      }
      response.writeHead(status, { 'content-type': 'application/problem+json' }).end(JSON.stringify(problem))
    }
  })
  await new Promise<void>(done => server.listen(0, '127.0.0.1', done))
  const { port } = server.address() as AddressInfo
  return {
    baseUrl: `http://127.0.0.1:${port}`,
    open: () => connections(server),
    close: () =>
      new Promise(done => {
        server.close(() => done())
        server.closeAllConnections()
      }),
  }
}

function connections(server: Server): Promise<number> {
  return new Promise((done, fail) =>
    server.getConnections((error, count) => (error === null ? done(count) : fail(error))),
  )
}

/** `{name}` is one segment, `{name+}` the rest. */
function matched(path: string, seen: string): Record<string, string> | null {
  const names: string[] = []
  const pattern = path.replace(/\{(\w+)(\+?)\}/g, (_, name: string, rest: string) => {
    names.push(name)
    return rest === '' ? '([^/]+)' : '(.+)'
  })
  const match = new RegExp(`^${pattern}$`).exec(seen)
  if (match === null) return null
  return Object.fromEntries(names.map((name, at) => [name, decodeURIComponent(match[at + 1] ?? '')]))
}
