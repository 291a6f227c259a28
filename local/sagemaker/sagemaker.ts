/**
 * A SageMaker of one machine, with AWS's wire protocol: the unmodified AWS SDK reaches it through
 * AWS_ENDPOINT_URL_SAGEMAKER and AWS_ENDPOINT_URL_SAGEMAKER_RUNTIME. A training job is a process that follows
 * the script-mode contract, a served model is `transformers serve`.
 *
 * Beside AWS's operations it has doors of its own under `/local/`: metrics and log of a job, and faults.
 * Signatures are not checked; it listens on 127.0.0.1 and turns browsers away.
 */
import { randomUUID } from 'node:crypto'
import { createReadStream, existsSync, mkdirSync } from 'node:fs'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join, resolve } from 'node:path'
import { AwsError } from './aws-error.ts'
import { controlOperations } from './control-operations.ts'
import { createFaults, type Fault, type Faults, parseFault } from './faults.ts'
import { openHosting } from './hosting.ts'
import { type Invocation, invokeEndpoint, invokeWithResponseStream, openAiChat } from './invoke.ts'
import type { ServeCommand } from './model-server.ts'
import { assertRequest, isKnownOperation } from './request-shapes.ts'
import { openObjects } from './s3-folder.ts'
import { openTags } from './tags.ts'
import { openTrainingJobs, type TrainingJobs } from './training-jobs.ts'

/** AWS's limits for a control-plane request and for an invocation's body. */
const MAX_REQUEST_BYTES = 1024 * 1024
const MAX_INVOCATION_BYTES = 25 * 1024 * 1024

export type SageMakerOptions = {
  /** On 127.0.0.1; 0 takes a free one. */
  port: number
  stateDir: string
  logDir: string
  runDir: string
  /** Python environment that stands for every training and serving image. */
  trainingVenv: string
  s3Endpoint: string
  /** Jobs at the same time; the others wait. @default 1 */
  maxParallelJobs?: number
  /** @default 'us-east-1' */
  region?: string
  /** @default '000000000000' */
  account?: string
  /** Between SIGTERM and SIGKILL. @default 120, as AWS */
  stopGraceSeconds?: number
  /** How often new checkpoints go to S3. @default 2000 */
  checkpointSyncMs?: number
  /** Priority of training scripts, 0 to 19: the higher, the more they step back. @default 5 */
  niceness?: number
  /** The Python that runs training scripts. @default that of `trainingVenv` */
  python?: string
  /** What serves a model. @default `transformers serve` of `trainingVenv` on the CPU */
  serveCommand?: ServeCommand
}

export type SageMaker = {
  url: string
  /** Ends jobs (their checkpoints go to S3; the next start resumes them) and model servers. */
  stop(): Promise<void>
}

/** Starts the server; jobs and endpoints of an earlier run in `stateDir` go on by themselves. */
export async function startSageMaker(options: SageMakerOptions): Promise<SageMaker> {
  const region = options.region ?? 'us-east-1'
  const account = options.account ?? '000000000000'
  // Processes run in folders of their own: relative paths would mean others there.
  const [stateDir, logDir, runDir] = [options.stateDir, options.logDir, options.runDir].map(path =>
    resolve(path),
  ) as [string, string, string]
  const pythonBin = resolve(options.trainingVenv, 'bin')
  for (const folder of [stateDir, logDir, runDir]) mkdirSync(folder, { recursive: true })

  const objects = openObjects(options.s3Endpoint, region, join(stateDir, 'object-cache'))
  const faults = createFaults()
  // SageMaker writes ARNs in lower case whatever the name.
  const arnOf = (kind: string, name: string) =>
    `arn:aws:sagemaker:${region}:${account}:${kind}/${name.toLowerCase()}`
  const common = { objects, region, stateDir, logDir, runDir, arnOf }
  const jobs = openTrainingJobs({
    ...common,
    python: options.python ? resolve(options.python) : join(pythonBin, 'python'),
    maxParallelJobs: options.maxParallelJobs ?? 1,
    stopGraceMs: (options.stopGraceSeconds ?? 120) * 1000,
    checkpointSyncMs: options.checkpointSyncMs ?? 2000,
    niceness: options.niceness ?? 5,
    faults,
  })
  const hosting = openHosting({
    ...common,
    pythonBin,
    serveCommand: options.serveCommand ?? transformersServe(pythonBin),
  })
  const tags = openTags(join(stateDir, 'tags'))
  const operations = controlOperations({ jobs, hosting, tags })

  const server = createServer((request, response) => {
    answer(request, response).catch(error => sendAwsError(response, error))
  })
  // A stream may be silent for long while a small machine thinks.
  server.requestTimeout = 0
  // Longer than clients keep a connection: closing one under a request would be an error of ours.
  server.keepAliveTimeout = 65_000

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    response.setHeader('x-amzn-requestid', randomUUID())
    // A page in somebody's browser could otherwise start jobs here: it always says where it comes from.
    if (request.headers.origin !== undefined)
      throw new AwsError('AccessDeniedException', 'Not for browsers', 403)
    const { pathname } = new URL(request.url ?? '/', 'http://local')
    const operation = /^SageMaker\.(\w+)$/.exec(String(request.headers['x-amz-target'] ?? ''))?.[1]
    if (pathname === '/' && request.method === 'POST' && operation)
      return control(operation, request, response)
    if (pathname.startsWith('/local/')) return local(pathname, request, response)
    const runtime = RUNTIME_PATH.exec(pathname)
    if (runtime?.groups && request.method === 'POST') {
      const { endpoint, component, action } = runtime.groups
      const invocation: Invocation = {
        hosting,
        account,
        endpointName: decodeURIComponent(endpoint!),
        request,
        response,
        body: await bodyOf(request, MAX_INVOCATION_BYTES),
      }
      if (action === 'invocations' && !component) return invokeEndpoint(invocation)
      if (action === 'invocations-response-stream' && !component) return invokeWithResponseStream(invocation)
      if (action === 'openai/v1/chat/completions')
        return openAiChat(invocation, component && decodeURIComponent(component))
    }
    throw new AwsError('UnknownOperationException', `${request.method} ${pathname}`, 404)
  }

  async function control(operation: string, request: IncomingMessage, response: ServerResponse) {
    const handler = operations[operation]
    if (!handler || !isKnownOperation(operation))
      throw new AwsError('UnknownOperationException', `${operation} is not part of the local SageMaker`)
    const bytes = await bodyOf(request, MAX_REQUEST_BYTES)
    const input = bytes.length === 0 ? {} : parseJson(bytes)
    assertRequest(operation, input)
    const output = await handler(withoutNulls(input) as never)
    response.writeHead(200, { 'content-type': 'application/x-amz-json-1.1' })
    response.end(output === undefined ? '' : JSON.stringify(wireValue(output)))
  }

  async function local(pathname: string, request: IncomingMessage, response: ServerResponse) {
    const job = /^\/local\/training-jobs\/([A-Za-z0-9-]+)\/(metrics|log)$/.exec(pathname)
    if (job && request.method === 'GET') {
      const [, name, what] = job as unknown as [string, string, string]
      if (!jobs.exists(name)) return sendJson(response, 404, { message: `No training job ${name}` })
      if (what === 'metrics') {
        const points = jobs.metrics(name).map(point => ({ ...point, at: new Date(point.at).toISOString() }))
        return sendJson(response, 200, { name, points })
      }
      response.writeHead(200, { 'content-type': 'text/plain; charset=utf-8' })
      const file = jobs.logFile(name)
      if (!existsSync(file)) return void response.end()
      createReadStream(file).pipe(response)
      return
    }
    if (pathname === '/local/faults') return faultsDoor(faults, jobs, request, response)
    if (pathname === '/local/health') return sendJson(response, 200, { ok: true })
    sendJson(response, 404, { message: `Nothing at ${pathname}` })
  }

  await new Promise<void>((resolveListening, reject) => {
    server.once('error', reject)
    server.listen(options.port, '127.0.0.1', resolveListening)
  })
  const { port } = server.address() as AddressInfo
  let stopping: Promise<void> | undefined
  return {
    url: `http://127.0.0.1:${port}`,
    stop() {
      stopping ??= (async () => {
        const closed = new Promise<void>(done => server.close(() => done()))
        await Promise.all([jobs.close(), hosting.close()])
        server.closeAllConnections()
        await closed
        objects.s3.destroy()
      })()
      return stopping
    },
  }
}

/** The paths of the SageMaker runtime, with the component that the OpenAI-compatible one may name. */
const RUNTIME_PATH =
  /^\/endpoints\/(?<endpoint>[^/]+)(?:\/inference-components\/(?<component>[^/]+))?\/(?<action>invocations|invocations-response-stream|openai\/v1\/chat\/completions)$/

/** The weights are named relative to the working folder: answers and logs then name no path of the machine. */
function transformersServe(pythonBin: string): ServeCommand {
  return ({ port, weights }) => ({
    command: join(pythonBin, 'transformers'),
    args: ['serve', weights, '--device', 'cpu', '--host', '127.0.0.1', '--port', String(port)],
  })
}

/** `GET` lists the faults that wait, `POST` adds one, `DELETE` forgets them all. */
async function faultsDoor(
  faults: Faults,
  jobs: TrainingJobs,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  if (request.method === 'DELETE') faults.clear()
  if (request.method === 'POST') {
    let fault: Fault
    try {
      fault = parseFault(parseJson(await bodyOf(request, MAX_REQUEST_BYTES)))
    } catch (error) {
      return sendJson(response, 400, { message: error instanceof Error ? error.message : String(error) })
    }
    const job = fault.kind === 'spot-interruption' ? fault.job : undefined
    if (job !== undefined && jobs.exists(job) && !jobs.isSpot(job))
      return sendJson(response, 400, {
        message: `${job} is not a managed spot job: it cannot be interrupted`,
      })
    faults.add(fault)
  }
  sendJson(response, 200, { waiting: faults.waiting() })
}

async function bodyOf(request: IncomingMessage, maxBytes: number): Promise<Buffer> {
  const chunks: Buffer[] = []
  let sizeBytes = 0
  for await (const chunk of request as AsyncIterable<Buffer>) {
    sizeBytes += chunk.length
    if (sizeBytes > maxBytes)
      throw new AwsError('RequestEntityTooLargeException', `More than ${maxBytes} bytes`, 413)
    chunks.push(chunk)
  }
  return Buffer.concat(chunks)
}

function parseJson(bytes: Buffer): unknown {
  try {
    return JSON.parse(bytes.toString('utf8'))
  } catch {
    throw new AwsError('SerializationException', 'The body is not JSON')
  }
}

/** A member sent as null is one that was not sent. */
function withoutNulls(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutNulls)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(
    Object.entries(value)
      .filter(([, item]) => item !== null)
      .map(([name, item]) => [name, withoutNulls(item)]),
  )
}

/** AWS JSON 1.1 writes instants as epoch seconds with milliseconds behind the point. */
function wireValue(value: unknown): unknown {
  if (value instanceof Date) return value.getTime() / 1000
  if (Array.isArray(value)) return value.map(wireValue)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, wireValue(item)]))
}

function sendJson(response: ServerResponse, status: number, value: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(value))
}

/** The header is where the runtime's clients look for the error's name, `__type` where the control plane's do. */
function sendAwsError(response: ServerResponse, error: unknown): void {
  if (response.headersSent) {
    response.destroy()
    return
  }
  const refusal =
    error instanceof AwsError
      ? error
      : new AwsError('InternalFailure', error instanceof Error ? error.message : String(error), 500)
  const body = {
    __type: refusal.code,
    message: refusal.message,
    Message: refusal.message,
    ...refusal.details,
  }
  response.writeHead(refusal.status, {
    'content-type': 'application/x-amz-json-1.1',
    'x-amzn-errortype': refusal.code,
    // What is left of the request's body must not become the next request.
    connection: 'close',
  })
  response.end(JSON.stringify(body))
}
