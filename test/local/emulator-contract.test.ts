/**
 * One group of tests a patch of `local/emulator/patches`, named for it: each proves through the AWS SDK that
 * the gap is closed, and fails when the patch is left out (`EMULATOR_WITHOUT=<patch>`). When a group passes
 * without its patch, a new MiniStack has closed the gap: drop the patch and the group.
 */
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import {
  CloudFormationClient,
  CreateStackCommand,
  DescribeStacksCommand,
  UpdateStackCommand,
} from '@aws-sdk/client-cloudformation'
import {
  DescribeContinuousBackupsCommand,
  DescribeTimeToLiveCommand,
  DynamoDBClient,
  GetItemCommand,
  PutItemCommand,
} from '@aws-sdk/client-dynamodb'
import { CreateKeyCommand, GetPublicKeyCommand, KMSClient, SignCommand } from '@aws-sdk/client-kms'
import { CreateFunctionCommand, InvokeCommand, LambdaClient } from '@aws-sdk/client-lambda'
import {
  CreateBucketCommand,
  GetBucketCorsCommand,
  GetBucketTaggingCommand,
  GetObjectCommand,
  GetObjectLockConfigurationCommand,
  GetPublicAccessBlockCommand,
  PutObjectCommand,
  S3Client,
} from '@aws-sdk/client-s3'
import {
  CreateScheduleCommand,
  CreateScheduleGroupCommand,
  DeleteScheduleCommand,
  ListSchedulesCommand,
  SchedulerClient,
} from '@aws-sdk/client-scheduler'
import {
  CreateStateMachineCommand,
  DescribeExecutionCommand,
  type DescribeExecutionOutput,
  GetExecutionHistoryCommand,
  ListExecutionsCommand,
  SendTaskHeartbeatCommand,
  SendTaskSuccessCommand,
  SFNClient,
  StartExecutionCommand,
  StopExecutionCommand,
} from '@aws-sdk/client-sfn'
import { type Emulator, startEmulator } from '../../local/emulator/emulator.ts'
import { freePort } from '../../local/ports.ts'
import { zip } from './emulator-zip.ts'

const REPOSITORY = resolve(import.meta.dirname, '../..')
const ROLE = 'arn:aws:iam::000000000000:role/test'
const START_LIMIT_MS = 90_000
const TEST_LIMIT_MS = 30_000

const dir = mkdtempSync(join(tmpdir(), 'openledger-emulator-'))
let emulator: Emulator
let sagemaker: FakeSageMaker
let aws: Clients

beforeAll(async () => {
  sagemaker = await startFakeSageMaker()
  emulator = await start('contract', { persist: false })
  aws = clients(emulator.url)
  await aws.cloudformation.send(
    new CreateStackCommand({ StackName: 'letters', TemplateBody: JSON.stringify(LETTERS) }),
  )
  await stackDone('letters')
}, START_LIMIT_MS)

afterAll(async () => {
  await emulator?.stop()
  sagemaker?.server.close()
  rmSync(dir, { recursive: true, force: true })
}, START_LIMIT_MS)

function start(name: string, options: { persist: boolean; port?: number }): Promise<Emulator> {
  const home = join(dir, name)
  return (async () =>
    startEmulator({
      port: options.port ?? (await freePort()),
      stateDir: join(home, 'state'),
      logDir: join(home, 'logs'),
      runDir: join(home, 'run'),
      venvDir: join(REPOSITORY, '.local/tools/emulator-venv'),
      sagemakerUrl: sagemaker.url,
      persist: options.persist,
      without: (process.env.EMULATOR_WITHOUT ?? '').split(',').filter(Boolean),
    }))()
}

// ---------------------------------------------------------------------------------------------- helpers

type Clients = ReturnType<typeof clients>

function clients(endpoint: string) {
  const config = {
    endpoint,
    region: 'us-east-1',
    credentials: { accessKeyId: 'test', secretAccessKey: 'test' },
  }
  return {
    cloudformation: new CloudFormationClient(config),
    dynamodb: new DynamoDBClient(config),
    kms: new KMSClient(config),
    lambda: new LambdaClient(config),
    s3: new S3Client({ ...config, forcePathStyle: true }),
    scheduler: new SchedulerClient(config),
    sfn: new SFNClient(config),
  }
}

/** Where Lambdas leave what they were given: item `key` holds the string `value`. */
const LETTERS = {
  Resources: {
    Letters: {
      Type: 'AWS::DynamoDB::Table',
      Properties: {
        TableName: 'letters',
        BillingMode: 'PAY_PER_REQUEST',
        AttributeDefinitions: [{ AttributeName: 'key', AttributeType: 'S' }],
        KeySchema: [{ AttributeName: 'key', KeyType: 'HASH' }],
      },
    },
  },
}

const LETTER_CODE = `
import { DynamoDBClient, PutItemCommand, UpdateItemCommand } from '@aws-sdk/client-dynamodb'
const dynamodb = new DynamoDBClient({})
const leave = (key, value) => dynamodb.send(new PutItemCommand({ TableName: 'letters', Item: { key: { S: key }, value: { S: value } } }))
const count = key => dynamodb.send(new UpdateItemCommand({ TableName: 'letters', Key: { key: { S: key } }, UpdateExpression: 'ADD calls :one', ExpressionAttributeValues: { ':one': { N: '1' } } }))
`

async function letter(key: string): Promise<{ value: string | undefined; calls: number } | undefined> {
  const { Item } = await aws.dynamodb.send(
    new GetItemCommand({ TableName: 'letters', Key: { key: { S: key } }, ConsistentRead: true }),
  )
  return Item && { value: Item.value?.S, calls: Number(Item.calls?.N ?? 0) }
}

/** Creates a function whose `index.mjs` is `code`; gives its ARN. */
async function lambda(name: string, code: string): Promise<string> {
  const created = await aws.lambda.send(
    new CreateFunctionCommand({
      FunctionName: name,
      Runtime: 'nodejs24.x',
      Handler: 'index.handler',
      Role: ROLE,
      Timeout: 20,
      Code: { ZipFile: zip({ 'index.mjs': code }) },
    }),
  )
  return created.FunctionArn!
}

/** Creates a JSONata state machine; gives its ARN. */
async function machine(name: string, states: Record<string, unknown>, rest: object = {}): Promise<string> {
  const definition = { QueryLanguage: 'JSONata', StartAt: Object.keys(states)[0], States: states, ...rest }
  const created = await aws.sfn.send(
    new CreateStateMachineCommand({ name, roleArn: ROLE, definition: JSON.stringify(definition) }),
  )
  return created.stateMachineArn!
}

async function execute(stateMachineArn: string, input: unknown = {}): Promise<string> {
  const started = await aws.sfn.send(
    new StartExecutionCommand({ stateMachineArn, input: JSON.stringify(input) }),
  )
  return started.executionArn!
}

function describeExecution(executionArn: string): Promise<DescribeExecutionOutput> {
  return aws.sfn.send(new DescribeExecutionCommand({ executionArn }))
}

async function ended(executionArn: string): Promise<DescribeExecutionOutput> {
  return eventually(async () => {
    const execution = await describeExecution(executionArn)
    return execution.status === 'RUNNING' ? undefined : execution
  })
}

async function run(stateMachineArn: string, input: unknown = {}): Promise<DescribeExecutionOutput> {
  return ended(await execute(stateMachineArn, input))
}

async function stackDone(name: string): Promise<Record<string, string>> {
  const stack = await eventually(async () => {
    const described = await aws.cloudformation.send(new DescribeStacksCommand({ StackName: name }))
    const status = described.Stacks![0]!.StackStatus!
    return status.endsWith('IN_PROGRESS') ? undefined : described.Stacks![0]
  })
  expect(stack.StackStatus).toMatch(/^(CREATE|UPDATE)_COMPLETE$/)
  return Object.fromEntries((stack.Outputs ?? []).map(output => [output.OutputKey!, output.OutputValue!]))
}

/** Creates a stack of these resources; gives its outputs. */
async function stack(name: string, resources: object, outputs: object = {}): Promise<Record<string, string>> {
  const TemplateBody = JSON.stringify({ Resources: resources, Outputs: outputs })
  await aws.cloudformation.send(new CreateStackCommand({ StackName: name, TemplateBody }))
  return stackDone(name)
}

async function eventually<T>(probe: () => Promise<T | undefined | false>, withinMs = 15_000): Promise<T> {
  const deadline = performance.now() + withinMs
  for (;;) {
    const value = await probe()
    if (value !== undefined && value !== false) return value
    if (performance.now() > deadline) throw new Error(`not within ${withinMs} ms: ${probe}`)
    await sleep(50)
  }
}

function pass(output: unknown): object {
  return { Type: 'Pass', Output: output, End: true }
}

/** Speaks just enough of the AWS JSON 1.1 protocol to be followed by a task state. */
type FakeSageMaker = {
  url: string
  server: Server
  calls: { action: string; name: string | undefined }[]
  status: Map<string, string>
}

function startFakeSageMaker(): Promise<FakeSageMaker> {
  const fake = { calls: [], status: new Map() } as unknown as FakeSageMaker
  fake.server = createServer(async (request, response) => {
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk as Buffer)
    const body = JSON.parse(Buffer.concat(chunks).toString() || '{}') as { TrainingJobName?: string }
    const action = String(request.headers['x-amz-target']).split('.')[1]!
    const name = body.TrainingJobName
    fake.calls.push({ action, name })
    const answer = (code: number, content: unknown) => {
      response.writeHead(code, { 'content-type': 'application/x-amz-json-1.1' }).end(JSON.stringify(content))
    }
    if (name?.startsWith('error-')) {
      const __type = name.slice('error-'.length)
      return answer(400, { __type, message: `${__type} it is` })
    }
    if (action === 'CreateTrainingJob') {
      if (fake.status.has(name!)) return answer(400, { __type: 'ResourceInUse', message: 'twice' })
      fake.status.set(name!, 'InProgress')
      return answer(200, { TrainingJobArn: `arn:aws:sagemaker:us-east-1:000000000000:training-job/${name}` })
    }
    if (action === 'StopTrainingJob') fake.status.set(name!, 'Stopped')
    answer(200, { TrainingJobName: name, TrainingJobStatus: fake.status.get(name!) })
  })
  return new Promise(done => {
    fake.server.listen(0, '127.0.0.1', () => {
      const address = fake.server.address()
      fake.url = `http://127.0.0.1:${typeof address === 'object' ? address?.port : ''}`
      done(fake)
    })
  })
}

// ------------------------------------------------------------------------------------- Lambda functions

describe('lambda_error_names', () => {
  test(
    'a Catch matches the name of the error that a Lambda threw, and its cause holds type and trace',
    async () => {
      const thrower = await lambda(
        'thrower',
        `export const handler = async () => { throw Object.assign(new Error('no'), { name: 'warrant-used' }) }`,
      )
      const invoked = await aws.lambda.send(new InvokeCommand({ FunctionName: thrower }))
      expect(JSON.parse(Buffer.from(invoked.Payload!).toString())).toEqual({
        errorType: 'warrant-used',
        errorMessage: 'no',
        trace: expect.arrayContaining([expect.stringContaining('warrant-used: no')]),
      })
      const arn = await machine('catches', {
        'Use the warrant': {
          Type: 'Task',
          Resource: 'arn:aws:states:::lambda:invoke',
          Arguments: { FunctionName: thrower },
          Catch: [{ ErrorEquals: ['warrant-used'], Next: 'Refuse', Output: '{% $states.errorOutput %}' }],
          End: true,
        },
        Refuse: pass('{% $parse($states.input.Cause).errorMessage %}'),
      })
      expect(await run(arn)).toMatchObject({ status: 'SUCCEEDED', output: '"no"' })
    },
    TEST_LIMIT_MS,
  )
})

describe('lambda_log_wait', () => {
  test(
    'a warm call of a Lambda that logs nothing takes less than the 50 ms of the wait',
    async () => {
      await lambda('silent', 'export const handler = async () => 1')
      const took: number[] = []
      for (let call = 0; call < 20; call++) {
        const started = performance.now()
        await aws.lambda.send(new InvokeCommand({ FunctionName: 'silent' }))
        took.push(performance.now() - started)
      }
      expect(Math.min(...took)).toBeLessThan(50)
    },
    TEST_LIMIT_MS,
  )
})

// ------------------------------------------------------------------------------------------ API Gateway

const invocations = (kind = '2015-03-31', verb = 'invocations') => ({
  'Fn::Sub': `arn:aws:apigateway:us-east-1:lambda:path/${kind}/functions/arn:aws:lambda:us-east-1:000000000000:function:api/${verb}`,
})
const VOTE_SCHEMA = { type: 'object', required: ['support'], properties: { support: { type: 'integer' } } }
const API_CODE = `
export const handler = async event => ({ statusCode: 200, body: event.resource })
export const streamed = awslambda.streamifyResponse(async (event, stream) => {
  const out = awslambda.HttpResponseStream.from(stream, { statusCode: 201, headers: { 'content-type': 'text/event-stream' } })
  for (const word of ['one', 'two']) { out.write(word + '\\n'); await new Promise(r => setTimeout(r, 10)) }
  out.end()
})`

function apiUrl(id: string, path: string): string {
  return `${emulator.url}/restapis/${id}/v/_user_request_${path}`
}

const postJson = (url: string, body: unknown) =>
  fetch(url, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) })

describe('request_validators', () => {
  test(
    'a body that does not match the model of its method is refused',
    async () => {
      const { Id } = await stack(
        'validated',
        {
          Api: { Type: 'AWS::ApiGateway::RestApi', Properties: { Name: 'validated' } },
          Model: {
            Type: 'AWS::ApiGateway::Model',
            Properties: {
              RestApiId: { Ref: 'Api' },
              Name: 'Vote',
              ContentType: 'application/json',
              Schema: VOTE_SCHEMA,
            },
          },
          Validator: {
            Type: 'AWS::ApiGateway::RequestValidator',
            Properties: { RestApiId: { Ref: 'Api' }, Name: 'body', ValidateRequestBody: true },
          },
          Method: {
            Type: 'AWS::ApiGateway::Method',
            Properties: {
              RestApiId: { Ref: 'Api' },
              ResourceId: { 'Fn::GetAtt': ['Api', 'RootResourceId'] },
              HttpMethod: 'POST',
              AuthorizationType: 'NONE',
              RequestValidatorId: { Ref: 'Validator' },
              RequestModels: { 'application/json': { Ref: 'Model' } },
              Integration: { Type: 'MOCK', RequestTemplates: { 'application/json': '{"statusCode":200}' } },
            },
          },
          Deployment: {
            Type: 'AWS::ApiGateway::Deployment',
            DependsOn: ['Method'],
            Properties: { RestApiId: { Ref: 'Api' }, StageName: 'v' },
          },
        },
        { Id: { Value: { Ref: 'Api' } } },
      )
      expect((await postJson(apiUrl(Id!, '/'), { support: 1 })).status).toBe(200)
      expect((await postJson(apiUrl(Id!, '/'), { support: 'yes' })).status).toBe(400)
    },
    TEST_LIMIT_MS,
  )
})

function openApi(paths: object): object {
  return {
    openapi: '3.0.1',
    info: { title: 'spec', version: '1' },
    'x-amazon-apigateway-request-validators': { body: { validateRequestBody: true } },
    'x-amazon-apigateway-request-validator': 'body',
    'x-amazon-apigateway-gateway-responses': {
      BAD_REQUEST_BODY: {
        statusCode: 422,
        responseTemplates: { 'application/json': '{"code":"malformed"}' },
      },
    },
    components: {
      schemas: {
        Support: VOTE_SCHEMA.properties.support,
        Vote: { ...VOTE_SCHEMA, properties: { support: { $ref: '#/components/schemas/Support' } } },
      },
    },
    paths,
  }
}

function specStack(document: object): object {
  return {
    Api: { Type: 'AWS::ApiGateway::RestApi', Properties: { Name: 'spec', Body: document } },
    Deployment: {
      Type: 'AWS::ApiGateway::Deployment',
      Properties: { RestApiId: { Ref: 'Api' }, StageName: 'v' },
    },
  }
}

const OUTPUTS = { Id: { Value: { Ref: 'Api' } } }
const proxy = { type: 'aws_proxy', httpMethod: 'POST', uri: invocations() }
const votes = {
  post: {
    requestBody: { content: { 'application/json': { schema: { $ref: '#/components/schemas/Vote' } } } },
    'x-amazon-apigateway-integration': proxy,
  },
  options: {
    'x-amazon-apigateway-integration': {
      type: 'mock',
      requestTemplates: { 'application/json': '{"statusCode":204}' },
      responses: {
        default: {
          statusCode: '204',
          responseParameters: { 'method.response.header.Access-Control-Allow-Origin': "'https://console'" },
        },
      },
    },
  },
}

describe('openapi_bodies', () => {
  test(
    "the document's validators, gateway responses and mock integrations hold, and a changed one keeps the address",
    async () => {
      await lambda('api', API_CODE)
      const { Id } = await stack('spec', specStack(openApi({ '/votes/{id}': votes })), OUTPUTS)
      const accepted = await postJson(apiUrl(Id!, '/votes/7'), { support: 1 })
      expect([accepted.status, await accepted.text()]).toEqual([200, '/votes/{id}'])
      const refused = await postJson(apiUrl(Id!, '/votes/7'), { support: 'yes' })
      expect([refused.status, await refused.json()]).toEqual([422, { code: 'malformed' }])
      const preflight = await fetch(apiUrl(Id!, '/votes/7'), { method: 'OPTIONS' })
      expect(preflight.headers.get('access-control-allow-origin')).toBe('https://console')

      const changed = specStack(openApi({ '/ballots/{id}': votes }))
      const TemplateBody = JSON.stringify({ Resources: changed, Outputs: OUTPUTS })
      await aws.cloudformation.send(new UpdateStackCommand({ StackName: 'spec', TemplateBody }))
      expect((await stackDone('spec')).Id).toBe(Id)
      expect((await postJson(apiUrl(Id!, '/ballots/7'), { support: 1 })).status).toBe(200)
      expect((await postJson(apiUrl(Id!, '/votes/7'), { support: 1 })).status).toBe(403)
    },
    TEST_LIMIT_MS,
  )
})

describe('streaming_integrations', () => {
  test(
    'a streamed route answers with the status, headers and whole body of its handler',
    async () => {
      const arn = await lambda('streams', API_CODE.replace('handler', 'plain').replace('streamed', 'handler'))
      const uri = `arn:aws:apigateway:us-east-1:lambda:path/2021-11-15/functions/${arn}/response-streaming-invocations`
      const integration = { type: 'aws_proxy', httpMethod: 'POST', uri, responseTransferMode: 'STREAM' }
      const { Id } = await stack(
        'streamed',
        specStack({
          openapi: '3.0.1',
          info: { title: 'streamed', version: '1' },
          paths: { '/chat': { post: { 'x-amazon-apigateway-integration': integration } } },
        }),
        OUTPUTS,
      )
      const response = await postJson(apiUrl(Id!, '/chat'), {})
      expect([response.status, response.headers.get('content-type'), await response.text()]).toEqual([
        201,
        'text/event-stream',
        'one\ntwo\n',
      ])
    },
    TEST_LIMIT_MS,
  )
})

// --------------------------------------------------------------------------------------- Step Functions

const callbackState = (functionName: string, rest: object = {}) => ({
  Type: 'Task',
  Resource: 'arn:aws:states:::lambda:invoke.waitForTaskToken',
  Arguments: {
    FunctionName: functionName,
    Payload: { token: '{% $states.context.Task.Token %}', key: '{% $states.context.Execution.Id %}' },
  },
  TimeoutSeconds: 20,
  End: true,
  ...rest,
})
const KEEPS_TOKEN = `${LETTER_CODE} export const handler = async event => { await leave(event.key, event.token) }`

describe('callback_start_failures', () => {
  test(
    'a state whose Lambda fails before it can pass the token on fails at once',
    async () => {
      const name = await lambda(
        'fails-start',
        `export const handler = async () => { throw new TypeError('no') }`,
      )
      const arn = await machine('fails-start', { Ask: callbackState(name, { TimeoutSeconds: 8 }) })
      expect(await run(arn)).toMatchObject({ status: 'FAILED', error: 'TypeError' })
    },
    TEST_LIMIT_MS,
  )
})

describe('heartbeats', () => {
  test(
    'a callback without a heartbeat fails, one that beats is waited for',
    async () => {
      const name = await lambda('keeps-token', KEEPS_TOKEN)
      const arn = await machine('beats', { Ask: callbackState(name, { HeartbeatSeconds: 2 }) })
      const [silent, beating] = [await execute(arn), await execute(arn)]
      const taskToken = (await eventually(() => letter(beating))).value
      for (let beat = 0; beat < 6; beat++) {
        await sleep(500)
        await aws.sfn.send(new SendTaskHeartbeatCommand({ taskToken }))
      }
      await aws.sfn.send(new SendTaskSuccessCommand({ taskToken, output: '"done"' }))
      expect(await ended(beating)).toMatchObject({ status: 'SUCCEEDED', output: '"done"' })
      expect(await ended(silent)).toMatchObject({ status: 'FAILED', error: 'States.HeartbeatTimeout' })
    },
    TEST_LIMIT_MS,
  )
})

describe('time_limits', () => {
  test(
    'a time limit may be an expression',
    async () => {
      const slow = await lambda('slow', 'export const handler = () => new Promise(r => setTimeout(r, 8000))')
      const arn = await machine('limited-state', {
        Slow: {
          Type: 'Task',
          Resource: 'arn:aws:states:::lambda:invoke',
          Arguments: { FunctionName: slow },
          TimeoutSeconds: '{% $states.input.limit %}',
          End: true,
        },
      })
      expect(await run(arn, { limit: 1 })).toMatchObject({ status: 'FAILED', error: 'States.Timeout' })
    },
    TEST_LIMIT_MS,
  )

  test(
    "a state machine's own time limit ends it as timed out",
    async () => {
      const arn = await machine(
        'limited',
        { Wait: { Type: 'Wait', Seconds: 6, End: true } },
        { TimeoutSeconds: 1 },
      )
      expect(await run(arn)).toMatchObject({ status: 'TIMED_OUT' })
    },
    TEST_LIMIT_MS,
  )
})

describe('retry_delays', () => {
  test(
    'a retry waits no longer than its MaxDelaySeconds',
    async () => {
      const name = await lambda(
        'fails-always',
        `export const handler = async () => { throw new Error('no') }`,
      )
      const arn = await machine('backs-off', {
        Try: {
          Type: 'Task',
          Resource: 'arn:aws:states:::lambda:invoke',
          Arguments: { FunctionName: name },
          Retry: [
            {
              ErrorEquals: ['Error'],
              IntervalSeconds: 1,
              BackoffRate: 10,
              MaxDelaySeconds: 1,
              MaxAttempts: 2,
            },
          ],
          End: true,
        },
      })
      const { startDate, stopDate } = await run(arn)
      expect(stopDate!.getTime() - startDate!.getTime()).toBeGreaterThanOrEqual(2_000)
      expect(stopDate!.getTime() - startDate!.getTime()).toBeLessThan(9_000)
    },
    TEST_LIMIT_MS,
  )
})

describe('stopped_executions', () => {
  test(
    'a stopped execution stays aborted and calls nothing any more',
    async () => {
      const name = await lambda(
        'counts',
        `${LETTER_CODE} export const handler = async event => { await count(event.key); throw new Error('again') }`,
      )
      const arn = await machine('retries', {
        Retries: {
          Type: 'Task',
          Resource: 'arn:aws:states:::lambda:invoke',
          Arguments: { FunctionName: name, Payload: { key: '{% $states.context.Execution.Id %}' } },
          Retry: [{ ErrorEquals: ['States.ALL'], IntervalSeconds: 1, BackoffRate: 1, MaxAttempts: 2 }],
          End: true,
        },
      })
      const executionArn = await execute(arn)
      await eventually(() => letter(executionArn))
      await aws.sfn.send(new StopExecutionCommand({ executionArn }))
      await sleep(3_000)
      expect(await describeExecution(executionArn)).toMatchObject({ status: 'ABORTED' })
      expect(await letter(executionArn)).toMatchObject({ calls: 1 })
    },
    TEST_LIMIT_MS,
  )
})

describe('sagemaker_tasks', () => {
  const train = (resource: string, rest: object = {}) => ({
    Train: {
      Type: 'Task',
      Resource: `arn:aws:states:::${resource}`,
      Arguments: { TrainingJobName: '{% $states.input.name %}' },
      End: true,
      ...rest,
    },
  })
  const calls = (name: string) => sagemaker.calls.filter(call => call.name === name).map(call => call.action)

  test(
    'a training job is created once, followed to its end, and its description is the result',
    async () => {
      const execution = await execute(await machine('trains', train('sagemaker:createTrainingJob.sync')), {
        name: 'good',
      })
      await eventually(async () => calls('good').length > 2)
      expect((await describeExecution(execution)).status).toBe('RUNNING')
      sagemaker.status.set('good', 'Completed')
      const { output } = await ended(execution)
      expect(JSON.parse(output!)).toEqual({ TrainingJobName: 'good', TrainingJobStatus: 'Completed' })
      expect(calls('good').filter(action => action === 'CreateTrainingJob')).toHaveLength(1)
    },
    TEST_LIMIT_MS,
  )

  test(
    'a failed job fails the state with its description as the cause',
    async () => {
      const execution = await execute(await machine('fails', train('sagemaker:createTrainingJob.sync')), {
        name: 'bad',
      })
      await eventually(async () => sagemaker.status.has('bad'))
      sagemaker.status.set('bad', 'Failed')
      const { error, cause } = await ended(execution)
      expect([error, JSON.parse(cause!).TrainingJobStatus]).toEqual(['States.TaskFailed', 'Failed'])
    },
    TEST_LIMIT_MS,
  )

  test(
    'errors have the names that Step Functions gives them',
    async () => {
      const optimized = await machine('errors', train('sagemaker:createTrainingJob.sync'))
      const sdk = await machine('sdk-errors', train('aws-sdk:sagemaker:describeTrainingJob'))
      const error = async (arn: string, name: string) => (await run(arn, { name: `error-${name}` })).error
      expect([
        await error(optimized, 'ResourceLimitExceeded'),
        await error(optimized, 'ResourceInUse'),
        await error(optimized, 'ValidationException'),
        await error(sdk, 'ResourceNotFound'),
        await error(sdk, 'ValidationException'),
      ]).toEqual([
        'SageMaker.ResourceLimitExceededException',
        'SageMaker.ResourceInUseException',
        'SageMaker.AmazonSageMakerException',
        'SageMaker.ResourceNotFoundException',
        'SageMaker.SageMakerException',
      ])
    },
    TEST_LIMIT_MS,
  )

  test(
    'a job is stopped with its execution, and when its state times out',
    async () => {
      const arn = await machine('stops', train('sagemaker:createTrainingJob.sync', { TimeoutSeconds: 2 }))
      const [stopped, late] = [await execute(arn, { name: 'stopped' }), await execute(arn, { name: 'late' })]
      await eventually(async () => calls('stopped').length > 1)
      await aws.sfn.send(new StopExecutionCommand({ executionArn: stopped }))
      await eventually(async () => sagemaker.status.get('stopped') === 'Stopped')
      expect((await ended(late)).error).toBe('States.Timeout')
      await eventually(async () => sagemaker.status.get('late') === 'Stopped')
    },
    TEST_LIMIT_MS,
  )

  test(
    'a Lambda finds both SageMaker endpoints in its environment',
    async () => {
      await lambda('sees', 'export const handler = async () => process.env')
      const invoked = await aws.lambda.send(new InvokeCommand({ FunctionName: 'sees' }))
      expect(JSON.parse(Buffer.from(invoked.Payload!).toString())).toMatchObject({
        AWS_ENDPOINT_URL: emulator.url,
        AWS_ENDPOINT_URL_SAGEMAKER: sagemaker.url,
        AWS_ENDPOINT_URL_SAGEMAKER_RUNTIME: sagemaker.url,
      })
    },
    TEST_LIMIT_MS,
  )
})

describe('jsonata_parallel', () => {
  test(
    'Arguments, Output and Assign hold, and branches do not see each other',
    async () => {
      const branch = (name: string) => ({
        StartAt: `Set ${name}`,
        States: {
          [`Set ${name}`]: { Type: 'Pass', Assign: { own: name }, Next: `Wait ${name}` },
          [`Wait ${name}`]: { Type: 'Wait', Seconds: 1, Next: `Tell ${name}` },
          [`Tell ${name}`]: pass({ own: '{% $own %}', given: '{% $states.input.given %}' }),
        },
      })
      const arn = await machine('parallel', {
        Both: {
          Type: 'Parallel',
          Arguments: { given: '{% $states.input.value %}' },
          Branches: [branch('left'), branch('right')],
          Output: '{% $states.result.(own & given) %}',
          Assign: { count: '{% $count($states.result) %}' },
          Next: 'Tell',
        },
        Tell: pass({ branches: '{% $states.input %}', count: '{% $count %}' }),
      })
      const { output } = await run(arn, { value: '!' })
      expect(JSON.parse(output!)).toEqual({ branches: ['left!', 'right!'], count: 2 })
    },
    TEST_LIMIT_MS,
  )
})

describe('idempotent_start', () => {
  test(
    'the same name and input answer the running execution, other input and a finished one are refused',
    async () => {
      const stateMachineArn = await machine('waits', { Wait: { Type: 'Wait', Seconds: 2, End: true } })
      const begin = (name: string, input: string) =>
        aws.sfn.send(new StartExecutionCommand({ stateMachineArn, name, input }))
      const first = await begin('once', '{"a":1}')
      expect(await begin('once', '{"a":1}')).toMatchObject({ executionArn: first.executionArn })
      await expect(begin('once', '{"a":2}')).rejects.toMatchObject({ name: 'ExecutionAlreadyExists' })
      await expect(begin('two words', '{}')).rejects.toMatchObject({ name: 'InvalidName' })
      await expect(begin('text', 'text')).rejects.toMatchObject({ name: 'InvalidExecutionInput' })
      await ended(first.executionArn!)
      await expect(begin('once', '{"a":1}')).rejects.toMatchObject({ name: 'ExecutionAlreadyExists' })
    },
    TEST_LIMIT_MS,
  )
})

// -------------------------------------------------------------------------------------------- Scheduler

/** The `at` of the first whole second that is at least `inMs` away. */
function moment(inMs: number): number {
  return Math.ceil((Date.now() + inMs) / 1000) * 1000
}

function schedule(name: string, at: number, machineArn: string, rest: object = {}) {
  return aws.scheduler.send(
    new CreateScheduleCommand({
      Name: name,
      ScheduleExpression: `at(${new Date(at).toISOString().slice(0, 19)})`,
      FlexibleTimeWindow: { Mode: 'OFF' },
      Target: {
        Arn: machineArn,
        RoleArn: ROLE,
        Input: JSON.stringify({ at: '<aws.scheduler.scheduled-time>' }),
      },
      ...rest,
    }),
  )
}

async function executions(stateMachineArn: string) {
  return (await aws.sfn.send(new ListExecutionsCommand({ stateMachineArn }))).executions!
}

describe('prompt_schedules', () => {
  test(
    'a one-time schedule of a group starts its execution within a second, told of its time, and deletes itself',
    async () => {
      await aws.scheduler.send(new CreateScheduleGroupCommand({ Name: 'votes' }))
      const arn = await machine('closes', { Close: pass('{% $states.input %}') })
      const at = moment(1_000)
      await schedule('close', at, arn, { GroupName: 'votes', ActionAfterCompletion: 'DELETE' })
      const [execution] = await eventually(async () => {
        const found = await executions(arn)
        return found.length > 0 && found
      })
      expect(execution!.startDate!.getTime() - at).toBeGreaterThanOrEqual(0)
      expect(execution!.startDate!.getTime() - at).toBeLessThan(1_000)
      const { output } = await ended(execution!.executionArn!)
      expect(JSON.parse(output!)).toEqual({ at: `${new Date(at).toISOString().slice(0, 19)}Z` })
      const left = await aws.scheduler.send(new ListSchedulesCommand({ GroupName: 'votes' }))
      expect(left.Schedules).toEqual([])
    },
    TEST_LIMIT_MS,
  )
})

// --------------------------------------------------------------------------------------- CloudFormation

describe('table_properties', () => {
  test.each(['AWS::DynamoDB::Table', 'AWS::DynamoDB::GlobalTable'])(
    '%s gets its time to live and point-in-time recovery',
    async Type => {
      const TableName = Type.split('::')[2]!
      const recovery = { PointInTimeRecoverySpecification: { PointInTimeRecoveryEnabled: true } }
      await stack(TableName, {
        Table: {
          Type,
          Properties: {
            ...LETTERS.Resources.Letters.Properties,
            TableName,
            TimeToLiveSpecification: { AttributeName: 'expiresAt', Enabled: true },
            ...(TableName === 'Table' ? recovery : { Replicas: [{ Region: 'us-east-1', ...recovery }] }),
          },
        },
      })
      const ttl = await aws.dynamodb.send(new DescribeTimeToLiveCommand({ TableName }))
      expect(ttl.TimeToLiveDescription).toEqual({ AttributeName: 'expiresAt', TimeToLiveStatus: 'ENABLED' })
      const backups = await aws.dynamodb.send(new DescribeContinuousBackupsCommand({ TableName }))
      expect(
        backups.ContinuousBackupsDescription?.PointInTimeRecoveryDescription?.PointInTimeRecoveryStatus,
      ).toBe('ENABLED')
    },
    TEST_LIMIT_MS,
  )
})

describe('bucket_properties', () => {
  test(
    'a bucket gets its tags, CORS rules, public access block and Object Lock',
    async () => {
      const Bucket = 'guarded'
      const block = {
        BlockPublicAcls: true,
        BlockPublicPolicy: true,
        IgnorePublicAcls: true,
        RestrictPublicBuckets: true,
      }
      await stack('bucket', {
        Bucket: {
          Type: 'AWS::S3::Bucket',
          Properties: {
            BucketName: Bucket,
            Tags: [{ Key: 'stage', Value: 'local' }],
            CorsConfiguration: {
              CorsRules: [{ AllowedOrigins: ['*'], AllowedMethods: ['PUT'], MaxAge: 60 }],
            },
            PublicAccessBlockConfiguration: block,
            BucketEncryption: {
              ServerSideEncryptionConfiguration: [
                { ServerSideEncryptionByDefault: { SSEAlgorithm: 'AES256' } },
              ],
            },
            ObjectLockEnabled: true,
            ObjectLockConfiguration: {
              ObjectLockEnabled: 'Enabled',
              Rule: { DefaultRetention: { Mode: 'GOVERNANCE', Days: 1 } },
            },
          },
        },
      })
      expect((await aws.s3.send(new GetBucketTaggingCommand({ Bucket }))).TagSet).toEqual([
        { Key: 'stage', Value: 'local' },
      ])
      expect((await aws.s3.send(new GetBucketCorsCommand({ Bucket }))).CORSRules).toMatchObject([
        { AllowedOrigins: ['*'], AllowedMethods: ['PUT'], MaxAgeSeconds: 60 },
      ])
      const access = await aws.s3.send(new GetPublicAccessBlockCommand({ Bucket }))
      expect(access.PublicAccessBlockConfiguration).toEqual(block)
      const lock = await aws.s3.send(new GetObjectLockConfigurationCommand({ Bucket }))
      expect(lock.ObjectLockConfiguration?.Rule?.DefaultRetention).toEqual({ Mode: 'GOVERNANCE', Days: 1 })
    },
    TEST_LIMIT_MS,
  )
})

describe('missing_resource_types', () => {
  test(
    'a stack with a budget and a scaling target deploys, and the log names them as placeholders',
    async () => {
      await stack('guards', {
        Budget: {
          Type: 'AWS::Budgets::Budget',
          Properties: { Budget: { BudgetType: 'COST', TimeUnit: 'MONTHLY' } },
        },
        Target: {
          Type: 'AWS::ApplicationAutoScaling::ScalableTarget',
          Properties: { MinCapacity: 0, MaxCapacity: 1 },
        },
      })
      const log = readFileSync(join(dir, 'contract/logs/emulator.log'), 'utf8')
      expect(log).toContain('placeholder guards-Budget for AWS::Budgets::Budget')
    },
    TEST_LIMIT_MS,
  )
})

// --------------------------------------------------------------------------------------------- restarts

const RESTART_LIMIT_MS = 90_000

/** Runs `before` on an emulator that keeps its state, ends it, starts it again and runs `after`. */
async function overRestart<T>(
  name: string,
  end: (emulator: Emulator) => Promise<void>,
  before: () => Promise<T>,
  after: (left: T) => Promise<void>,
): Promise<void> {
  const contract = aws
  let kept = await start(name, { persist: true })
  const port = Number(new URL(kept.url).port)
  try {
    aws = clients(kept.url)
    await aws.cloudformation.send(
      new CreateStackCommand({ StackName: 'letters', TemplateBody: JSON.stringify(LETTERS) }),
    )
    await stackDone('letters')
    const left = await before()
    await end(kept)
    kept = await start(name, { persist: true, port })
    await after(left)
  } finally {
    aws = contract
    await kept.stop()
  }
}

const cleanStop = (running: Emulator) => running.stop()

describe('state_snapshots', () => {
  test(
    'after kill -9, all that is older than the last snapshot is there again',
    async () => {
      const killed = async (running: Emulator) => {
        process.kill(running.pid, 'SIGKILL')
        await running.exited
      }
      await overRestart(
        'killed',
        killed,
        async () => {
          await aws.s3.send(new CreateBucketCommand({ Bucket: 'files' }))
          await aws.s3.send(new PutObjectCommand({ Bucket: 'files', Key: 'a', Body: 'content' }))
          await lambda('echo', 'export const handler = async event => event')
          await machine('echoes', { Echo: pass('{% $states.input %}') })
          const key = await aws.kms.send(
            new CreateKeyCommand({ KeySpec: 'ECC_SECG_P256K1', KeyUsage: 'SIGN_VERIFY' }),
          )
          const KeyId = key.KeyMetadata!.KeyId!
          const { PublicKey } = await aws.kms.send(new GetPublicKeyCommand({ KeyId }))
          const { Id } = await stack('kept', specStack(openApi({ '/votes/{id}': votes })), OUTPUTS)
          const Item = { key: { S: 'letter' }, value: { S: 'kept' } }
          await aws.dynamodb.send(new PutItemCommand({ TableName: 'letters', Item }))
          // What was written last is in a snapshot: so is the rest.
          const snapshot = join(dir, 'killed/state/state/dynamodb.json')
          await eventually(
            async () => existsSync(snapshot) && readFileSync(snapshot, 'utf8').includes('"kept"'),
          )
          await sleep(200)
          return { KeyId, PublicKey, Id }
        },
        async ({ KeyId, PublicKey, Id }) => {
          expect(await letter('letter')).toMatchObject({ value: 'kept' })
          const object = await aws.s3.send(new GetObjectCommand({ Bucket: 'files', Key: 'a' }))
          expect(await object.Body!.transformToString()).toBe('content')
          const invoked = await aws.lambda.send(new InvokeCommand({ FunctionName: 'echo', Payload: '"hi"' }))
          expect(Buffer.from(invoked.Payload!).toString()).toBe('"hi"')
          const arn = 'arn:aws:states:us-east-1:000000000000:stateMachine:echoes'
          expect(await run(arn, 'hi')).toMatchObject({ status: 'SUCCEEDED', output: '"hi"' })
          expect((await aws.kms.send(new GetPublicKeyCommand({ KeyId }))).PublicKey).toEqual(PublicKey)
          const digest = {
            KeyId,
            Message: Buffer.alloc(32, 1),
            MessageType: 'DIGEST',
            SigningAlgorithm: 'ECDSA_SHA_256',
          }
          expect((await aws.kms.send(new SignCommand(digest as never))).Signature).toBeDefined()
          expect((await stackDone('kept')).Id).toBe(Id)
        },
      )
    },
    RESTART_LIMIT_MS,
  )
})

describe('schedules_fire_once', () => {
  test(
    'a schedule that fired before a restart does not fire again, one due meanwhile does, and a name can be used anew',
    async () => {
      await overRestart(
        'schedules',
        cleanStop,
        async () => {
          const fired = await machine('fired', { Done: pass(1) })
          const due = await machine('due', { Done: pass(1) })
          await schedule('fired', moment(0), fired)
          await eventually(async () => (await executions(fired)).length === 1)
          await schedule('due', moment(500), due)
          return { fired, due }
        },
        async ({ fired, due }) => {
          await eventually(async () => (await executions(due)).length === 1)
          await sleep(1_000)
          expect(await executions(fired)).toHaveLength(1)
          await aws.scheduler.send(new DeleteScheduleCommand({ Name: 'fired' }))
          await schedule('fired', moment(0), fired)
          await eventually(async () => (await executions(fired)).length === 2, 5_000)
        },
      )
    },
    RESTART_LIMIT_MS,
  )
})

describe('durable_executions', () => {
  test(
    'executions go on after a restart: waiting, holding a token, following a job, and between retries',
    async () => {
      await overRestart(
        'durable',
        cleanStop,
        async () => {
          const asks = await lambda(
            'asks',
            `${LETTER_CODE} export const handler = async event => { await count(event.key + '#asked'); await leave(event.key, event.token) }`,
          )
          const fails = await lambda(
            'fails',
            `${LETTER_CODE} export const handler = async event => { await count(event.key); throw new Error('retry ' + event.retry) }`,
          )
          const waiting = await execute(
            await machine('waiting', {
              Remember: { Type: 'Pass', Assign: { word: '{% $states.input.word %}' }, Next: 'Wait' },
              Wait: { Type: 'Wait', Seconds: 6, Next: 'Tell' },
              Tell: pass('{% $word %}'),
            }),
            { word: 'kept' },
          )
          const asking = await execute(await machine('asking', { Ask: callbackState(asks) }))
          const training = await execute(
            await machine('training', {
              Train: {
                Type: 'Task',
                Resource: 'arn:aws:states:::sagemaker:createTrainingJob.sync',
                Arguments: { TrainingJobName: 'durable' },
                Output: '{% $states.result.TrainingJobStatus %}',
                End: true,
              },
            }),
          )
          const retrying = await execute(
            await machine('retrying', {
              Try: {
                Type: 'Task',
                Resource: 'arn:aws:states:::lambda:invoke',
                Arguments: {
                  FunctionName: fails,
                  Payload: {
                    key: '{% $states.context.Execution.Id %}',
                    retry: '{% $states.context.State.RetryCount %}',
                  },
                },
                Retry: [{ ErrorEquals: ['States.ALL'], IntervalSeconds: 4, BackoffRate: 1, MaxAttempts: 1 }],
                End: true,
              },
            }),
          )
          await eventually(async () => sagemaker.status.has('durable'))
          await eventually(() => letter(retrying))
          const taskToken = (await eventually(() => letter(asking))).value
          await sleep(500)
          return { waiting, asking, training, retrying, taskToken }
        },
        async ({ waiting, asking, training, retrying, taskToken }) => {
          const restarted = Date.now()
          await aws.sfn.send(new SendTaskSuccessCommand({ taskToken, output: '"answered"' }))
          expect(await ended(asking)).toMatchObject({ status: 'SUCCEEDED', output: '"answered"' })
          expect(await letter(`${asking}#asked`)).toMatchObject({ calls: 1 })

          sagemaker.status.set('durable', 'Completed')
          expect(await ended(training)).toMatchObject({ status: 'SUCCEEDED', output: '"Completed"' })
          expect(
            sagemaker.calls.filter(call => call.name === 'durable' && call.action === 'CreateTrainingJob'),
          ).toHaveLength(1)

          const waited = await ended(waiting)
          expect(waited).toMatchObject({ status: 'SUCCEEDED', output: '"kept"' })
          // Counted from its entry, not from the restart: at once where the restart took longer.
          const due = waited.startDate!.getTime() + 6_000
          expect(waited.stopDate!.getTime()).toBeGreaterThanOrEqual(due)
          expect(waited.stopDate!.getTime() - Math.max(due, restarted)).toBeLessThan(3_000)
          const history = await aws.sfn.send(new GetExecutionHistoryCommand({ executionArn: waiting }))
          expect(history.events!.filter(event => event.type === 'WaitStateEntered')).toHaveLength(1)

          const retried = await ended(retrying)
          expect(JSON.parse(retried.cause!).errorMessage).toBe('retry 1')
        },
      )
    },
    RESTART_LIMIT_MS,
  )
})

describe('managed_s3_key', () => {
  test(
    'an object may be encrypted with the key that S3 keeps itself',
    async () => {
      await aws.s3.send(new CreateBucketCommand({ Bucket: 'managed' }))
      const put = { Bucket: 'managed', Key: 'asset', Body: 'bytes', ServerSideEncryption: 'aws:kms' } as const
      await aws.s3.send(new PutObjectCommand(put))
      const { Body } = await aws.s3.send(new GetObjectCommand({ Bucket: 'managed', Key: 'asset' }))
      expect(await Body?.transformToString()).toBe('bytes')
    },
    TEST_LIMIT_MS,
  )
})

// ------------------------------------------------------------------------------------------ the emulator

test('every patch has its group of tests', () => {
  const patches = readdirSync(join(REPOSITORY, 'local/emulator/patches'))
    .filter(file => file.endsWith('.py') && !file.startsWith('__'))
    .map(file => file.slice(0, -'.py'.length))
  const groups = [...readFileSync(import.meta.filename, 'utf8').matchAll(/^describe\('(\w+)'/gm)].map(
    match => match[1],
  )
  expect(groups.sort()).toEqual(patches.sort())
})
