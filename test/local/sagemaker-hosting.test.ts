import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import {
  CreateEndpointCommand,
  CreateEndpointConfigCommand,
  CreateInferenceComponentCommand,
  CreateModelCommand,
  DeleteEndpointCommand,
  DeleteInferenceComponentCommand,
  DescribeEndpointCommand,
  DescribeInferenceComponentCommand,
  type DescribeInferenceComponentCommandOutput,
  ListInferenceComponentsCommand,
  UpdateEndpointCommand,
  UpdateInferenceComponentCommand,
  UpdateInferenceComponentRuntimeConfigCommand,
} from '@aws-sdk/client-sagemaker'
import {
  InvokeEndpointCommand,
  InvokeEndpointWithResponseStreamCommand,
  ModelError,
  ValidationError,
} from '@aws-sdk/client-sagemaker-runtime'
import { aStage, eventually, FIXTURES, PLAIN_PYTHON, type Stage } from './sagemaker-stage.ts'

const NO_CAPACITY = /^Inference Component has no capacity to process this request\./
const ROLE = 'arn:aws:iam::000000000000:role/serving'

let stage: Stage
beforeAll(async () => {
  stage = await aStage({
    serveCommand: ({ port, weights }) => ({
      command: PLAIN_PYTHON,
      args: [join(FIXTURES, 'fake_serve.py'), String(port), weights],
    }),
  })
  await stage.put('weights/ada/name.txt', 'ada')
  await stage.put('weights/ada/generation_config.json', JSON.stringify({ eos_token_id: 2, top_k: 20 }))
  await stage.put('weights/bob/name.txt', 'bob')
  await stage.put('weights/bad/broken', 'yes')
  for (const name of ['ada', 'bob', 'bad'])
    await stage.sagemaker().send(
      new CreateModelCommand({
        ModelName: name,
        ExecutionRoleArn: ROLE,
        PrimaryContainer: {
          Image: 'vllm',
          ModelDataSource: {
            S3DataSource: {
              S3Uri: `s3://artifacts/weights/${name}/`,
              S3DataType: 'S3Prefix',
              CompressionType: 'None',
            },
          },
        },
      }),
    )
  await stage.sagemaker().send(
    new CreateEndpointConfigCommand({
      EndpointConfigName: 'shared',
      ExecutionRoleArn: ROLE,
      ProductionVariants: [
        {
          VariantName: 'main',
          InstanceType: 'ml.g5.xlarge',
          InitialInstanceCount: 1,
          ManagedInstanceScaling: { Status: 'ENABLED', MinInstanceCount: 0, MaxInstanceCount: 1 },
        },
      ],
    }),
  )
  await stage
    .sagemaker()
    .send(new CreateEndpointCommand({ EndpointName: 'shared', EndpointConfigName: 'shared' }))
  await endpointInService('shared')
}, 60_000)
afterAll(() => stage?.stop(), 30_000)

const endpointInService = (name: string) =>
  eventually(`endpoint ${name}`, async () => {
    const seen = await stage.sagemaker().send(new DescribeEndpointCommand({ EndpointName: name }))
    if (seen.EndpointStatus === 'Failed') throw new Error(seen.FailureReason)
    return seen.EndpointStatus === 'InService' ? seen : undefined
  })
const createComponent = (name: string, model: string, copies = 1) =>
  stage.sagemaker().send(
    new CreateInferenceComponentCommand({
      InferenceComponentName: name,
      EndpointName: 'shared',
      VariantName: 'main',
      Specification: {
        ModelName: model,
        ComputeResourceRequirements: { MinMemoryRequiredInMb: 1024 },
        StartupParameters: { ContainerStartupHealthCheckTimeoutInSeconds: 60 },
      },
      RuntimeConfig: { CopyCount: copies },
    }),
  )
const describeComponent = (name: string) =>
  stage.sagemaker().send(new DescribeInferenceComponentCommand({ InferenceComponentName: name }))
const componentWhen = (name: string, isIt: (seen: DescribeInferenceComponentCommandOutput) => boolean) =>
  eventually(`component ${name}`, async () => {
    const seen = await describeComponent(name)
    return isIt(seen) ? seen : undefined
  })
const inService = (name: string) => componentWhen(name, seen => seen.InferenceComponentStatus === 'InService')
const setCopies = (name: string, copies: number) =>
  stage.sagemaker().send(
    new UpdateInferenceComponentRuntimeConfigCommand({
      InferenceComponentName: name,
      DesiredRuntimeConfig: { CopyCount: copies },
    }),
  )
const aQuestion = (changes: object = {}) => ({ messages: [{ role: 'user', content: 'hello' }], ...changes })
const ask = async (component: string | undefined, question: object = aQuestion(), endpoint = 'shared') => {
  const answer = await stage.runtime().send(
    new InvokeEndpointCommand({
      EndpointName: endpoint,
      InferenceComponentName: component,
      ContentType: 'application/json',
      Body: JSON.stringify(question),
    }),
  )
  return { ...answer, text: Buffer.from(answer.Body!).toString('utf8') }
}
const heardBy = async (component: string | undefined, endpoint?: string) =>
  JSON.parse((await ask(component, aQuestion(), endpoint)).text).choices[0].message.content as string
const openAi = (path: string, question: object, headers: Record<string, string> = {}) =>
  fetch(`${stage.url()}/endpoints/${path}/openai/v1/chat/completions`, {
    method: 'POST',
    headers: { authorization: 'Bearer token', ...headers },
    body: JSON.stringify(question),
  })

describe('an inference component', () => {
  test('serves its model once its health check passes', async () => {
    await createComponent('ada', 'ada')
    expect((await describeComponent('ada')).InferenceComponentStatus).toBe('Creating')
    await expect(ask('ada')).rejects.toThrow(NO_CAPACITY)
    const seen = await inService('ada')
    expect(seen).toMatchObject({
      RuntimeConfig: { DesiredCopyCount: 1, CurrentCopyCount: 1 },
      Specification: { ModelName: 'ada' },
      EndpointName: 'shared',
    })
    expect(await heardBy('ada')).toBe('ada heard hello')
  })

  test('shares its endpoint with others, each asked by its name', async () => {
    await createComponent('bob', 'bob', 2)
    expect((await inService('bob')).RuntimeConfig).toEqual({ DesiredCopyCount: 2, CurrentCopyCount: 2 })
    expect([await heardBy('ada'), await heardBy('bob')]).toEqual(['ada heard hello', 'bob heard hello'])
    const listed = await stage.sagemaker().send(
      new ListInferenceComponentsCommand({
        EndpointNameEquals: 'shared',
        SortBy: 'Name',
        SortOrder: 'Ascending',
      }),
    )
    expect(listed.InferenceComponents!.map(component => component.InferenceComponentName)).toEqual([
      'ada',
      'bob',
    ])
    await expect(ask(undefined)).rejects.toThrow(/^Inference Component Name header is required/)
  })

  test('scaled to zero has no capacity, frees the machine, and wakes', async () => {
    await setCopies('bob', 0)
    expect((await inService('bob')).RuntimeConfig).toEqual({ DesiredCopyCount: 0, CurrentCopyCount: 0 })
    expect(readdirSync(join(stage.folder, 'run')).filter(file => file.includes('component-bob'))).toEqual([])
    const refused = await ask('bob').catch((error: unknown) => error)
    expect(refused).toBeInstanceOf(ValidationError)
    expect((refused as Error).message).toMatch(NO_CAPACITY)
    await setCopies('bob', 1)
    await expect(setCopies('bob', 1)).rejects.toMatchObject({ name: 'ValidationException' })
    await inService('bob')
    expect(await heardBy('bob')).toBe('bob heard hello')
  })

  test('cannot be made with zero copies, nor twice', async () => {
    await expect(createComponent('none', 'ada', 0)).rejects.toThrow(
      'Inference components copy count an integer larger than 0',
    )
    await expect(createComponent('ada', 'ada')).rejects.toThrow(/^Cannot create already existing/)
  })

  test('that crashes is started again', async () => {
    const record = readdirSync(join(stage.folder, 'run')).find(file => file.includes('component-ada'))!
    const { pid } = JSON.parse(readFileSync(join(stage.folder, 'run', record), 'utf8')) as { pid: number }
    process.kill(pid, 'SIGKILL')
    await componentWhen('ada', seen => seen.RuntimeConfig?.CurrentCopyCount === 0)
    await componentWhen('ada', seen => seen.RuntimeConfig?.CurrentCopyCount === 1)
    expect(await heardBy('ada')).toBe('ada heard hello')
  })

  test('takes other weights without a gap', async () => {
    await createComponent('changing', 'ada')
    await inService('changing')
    const long = aQuestion({ stream: true })
    long.messages[0]!.content = 'word '.repeat(25)
    const underWay = openAi('shared/inference-components/changing', long).then(answer => answer.text())
    await stage.sagemaker().send(
      new UpdateInferenceComponentCommand({
        InferenceComponentName: 'changing',
        Specification: { ModelName: 'bob', ComputeResourceRequirements: { MinMemoryRequiredInMb: 1024 } },
      }),
    )
    const heard = new Set<string>()
    await eventually('the other weights', async () => {
      heard.add(await heardBy('changing')) // throws where there is a gap
      return heard.has('bob heard hello') || undefined
    })
    expect([...heard].at(-1)).toBe('bob heard hello')
    // What the old weights were answering meanwhile came to its end.
    expect(await underWay).toMatch(/"content":"ada "[\s\S]*data: \[DONE\]\n\n$/)
    await inService('changing')
  })

  test('keeps what it serves where the other weights cannot be', async () => {
    await stage.sagemaker().send(
      new UpdateInferenceComponentCommand({
        InferenceComponentName: 'changing',
        Specification: { ModelName: 'bad', ComputeResourceRequirements: { MinMemoryRequiredInMb: 1024 } },
      }),
    )
    const seen = await inService('changing')
    expect(seen.FailureReason).toMatch(/did not pass the ping health check/)
    expect(seen.Specification?.ModelName).toBe('bob')
    expect(await heardBy('changing')).toBe('bob heard hello')
  })

  test('whose weights cannot be served fails with a reason', async () => {
    await createComponent('bad', 'bad')
    const failed = await componentWhen('bad', seen => seen.InferenceComponentStatus === 'Failed')
    expect(failed.FailureReason).toMatch(/did not pass the ping health check/)
    const log = readFileSync(join(stage.folder, 'logs/endpoints/component-bad.r1.log'), 'utf8')
    expect(log).toContain('cannot load the weights')
  })
})

describe('an answer', () => {
  test('is the one that vLLM would give: the caller’s name of the model, sampling as asked', async () => {
    const answer = await ask('ada', aQuestion({ model: 'openledger/iam', temperature: 0.7, top_k: 5 }))
    expect(answer.ContentType).toBe('application/json')
    expect(answer.InvokedProductionVariant).toBe('main')
    const body = JSON.parse(answer.text)
    expect(body.model).toBe('openledger/iam')
    expect(body.asked).toMatchObject({ do_sample: true, temperature: 0.7, top_k: 5, eos_token_id: 2 })
    const greedy = JSON.parse((await ask('ada', aQuestion({ temperature: 0 }))).text)
    expect(greedy.asked).toMatchObject({ do_sample: false, eos_token_id: 2 })
    expect(greedy.asked.temperature).toBeUndefined()
    expect(greedy.model).toBe('ada')
  })

  test('streams through the SDK piece by piece', async () => {
    const answer = await stage.runtime().send(
      new InvokeEndpointWithResponseStreamCommand({
        EndpointName: 'shared',
        InferenceComponentName: 'ada',
        Body: JSON.stringify(aQuestion({ stream: true, stream_options: { include_usage: true } })),
      }),
    )
    expect(answer.ContentType).toBe('text/event-stream')
    const came: { at: number; text: string }[] = []
    for await (const event of answer.Body!)
      came.push({ at: Date.now(), text: Buffer.from(event.PayloadPart!.Bytes!).toString('utf8') })
    // Three words, a tenth of a second apart: an answer in one piece would come at one time.
    expect(came.at(-1)!.at - came[0]!.at).toBeGreaterThan(150)
    const events = came
      .flatMap(piece => piece.text.split('\n\n'))
      .filter(text => text !== '')
      .map(text => text.replace(/^data: /, ''))
    expect(events.at(-1)).toBe('[DONE]')
    const chunks = events.slice(0, -1).map(text => JSON.parse(text))
    expect(chunks.map(chunk => chunk.choices[0]?.delta.content ?? '').join('')).toBe('ada heard hello ')
    expect(chunks.every(chunk => chunk.model === 'ada')).toBe(true)
    expect(chunks.at(-1)).toMatchObject({ choices: [], usage: { total_tokens: 7 } })
    expect(chunks.at(-2).usage).toBeUndefined()
  })

  test('streams over the OpenAI path as it is made, with the component in the path', async () => {
    const answer = await openAi('shared/inference-components/ada', aQuestion({ stream: true }))
    expect(answer.headers.get('content-type')).toBe('text/event-stream')
    const times: number[] = []
    let text = ''
    for await (const piece of answer.body!) {
      times.push(Date.now())
      text += Buffer.from(piece).toString('utf8')
    }
    expect(times.at(-1)! - times[0]!).toBeGreaterThan(150)
    expect(text).toMatch(/"content":"hello "[\s\S]*data: \[DONE\]\n\n$/)
    expect(text).not.toContain('usage')
  })

  test('that nobody waits for any more is not made to its end', async () => {
    const hangUp = new AbortController()
    const answer = await fetch(
      `${stage.url()}/endpoints/shared/inference-components/ada/openai/v1/chat/completions`,
      {
        method: 'POST',
        headers: { authorization: 'Bearer token' },
        body: JSON.stringify({ messages: [{ role: 'user', content: 'word '.repeat(600) }], stream: true }),
        signal: hangUp.signal,
      },
    )
    await answer.body!.getReader().read()
    hangUp.abort()
    // A minute of words was asked for; the model server loses its caller long before.
    await eventually('the broken connection', () => {
      const log = readFileSync(join(stage.folder, 'logs/endpoints/component-ada.r1.log'), 'utf8')
      return /BrokenPipeError|ConnectionResetError/.test(log) || undefined
    })
  })

  test('of the OpenAI path that is an error comes in OpenAI’s shape', async () => {
    await setCopies('bob', 0)
    await inService('bob')
    const asleep = await openAi('shared/inference-components/bob', aQuestion())
    expect(asleep.status).toBe(400)
    expect(((await asleep.json()) as { error: { message: string } }).error.message).toMatch(NO_CAPACITY)
    const header = { 'x-amzn-sagemaker-inference-component': 'ada' }
    expect((await openAi('shared', aQuestion(), header)).status).toBe(400)
    expect((await openAi('shared/inference-components/ada', aQuestion(), { authorization: '' })).status).toBe(
      403,
    )
    const wrong = await openAi('shared/inference-components/ada', aQuestion({ colour: 'red' }))
    expect(wrong.status).toBe(422)
    expect(((await wrong.json()) as { error: { message: string } }).error.message).toMatch(
      /^Received client error \(422\) from ada with message ".*Unexpected fields/,
    )
  })

  test('of a container that refuses is a ModelError with what it said', async () => {
    const refused = await ask('ada', aQuestion({ colour: 'red' })).catch((error: unknown) => error)
    expect(refused).toBeInstanceOf(ModelError)
    expect(refused).toMatchObject({
      OriginalStatusCode: 422,
      OriginalMessage: expect.stringContaining('Unexpected fields'),
    })
  })

  test('of an endpoint that there is not is a ValidationError', async () => {
    await expect(ask('ada', aQuestion(), 'nowhere')).rejects.toMatchObject({
      name: 'ValidationError',
      message: 'Endpoint nowhere of account 000000000000 not found.',
    })
  })
})

describe('an endpoint with a model of its own', () => {
  test('serves it, changes to another, and ends with it', async () => {
    for (const name of ['ada', 'bob'])
      await stage.sagemaker().send(
        new CreateEndpointConfigCommand({
          EndpointConfigName: `own-${name}`,
          ProductionVariants: [
            { VariantName: 'main', ModelName: name, InstanceType: 'ml.g5.xlarge', InitialInstanceCount: 1 },
          ],
        }),
      )
    const send = stage.sagemaker()
    await send.send(new CreateEndpointCommand({ EndpointName: 'own', EndpointConfigName: 'own-ada' }))
    await expect(ask(undefined, aQuestion(), 'own')).rejects.toMatchObject({ name: 'ValidationError' })
    await endpointInService('own')
    expect(await heardBy(undefined, 'own')).toBe('ada heard hello')
    await send.send(new UpdateEndpointCommand({ EndpointName: 'own', EndpointConfigName: 'own-bob' }))
    await expect(send.send(new DeleteEndpointCommand({ EndpointName: 'own' }))).rejects.toThrow(
      /^Cannot update in-progress endpoint/,
    )
    expect((await endpointInService('own')).EndpointConfigName).toBe('own-bob')
    expect(await heardBy(undefined, 'own')).toBe('bob heard hello')
    await send.send(new DeleteEndpointCommand({ EndpointName: 'own' }))
    await eventually('the end of the endpoint', () =>
      send.send(new DescribeEndpointCommand({ EndpointName: 'own' })).then(
        () => undefined,
        (error: Error) => error.message.startsWith('Could not find endpoint') || undefined,
      ),
    )
    expect(readdirSync(join(stage.folder, 'run')).filter(file => file.includes('endpoint-own'))).toEqual([])
  })
})

describe('after a restart', () => {
  test('what was in service comes back, what slept still sleeps', async () => {
    await stage.restart()
    await endpointInService('shared')
    await inService('ada')
    expect(await heardBy('ada')).toBe('ada heard hello')
    expect((await inService('bob')).RuntimeConfig).toEqual({ DesiredCopyCount: 0, CurrentCopyCount: 0 })
    expect((await describeComponent('bad')).InferenceComponentStatus).toBe('Failed')
  })

  test('an endpoint is deleted after its components, and nothing of it is left running', async () => {
    const send = stage.sagemaker()
    await expect(send.send(new DeleteEndpointCommand({ EndpointName: 'shared' }))).rejects.toThrow(
      /hosts inference components/,
    )
    for (const name of ['ada', 'bob', 'bad', 'changing']) {
      await send.send(new DeleteInferenceComponentCommand({ InferenceComponentName: name }))
      await eventually(`the end of ${name}`, () =>
        describeComponent(name).then(
          () => undefined,
          () => true,
        ),
      )
    }
    await send.send(new DeleteEndpointCommand({ EndpointName: 'shared' }))
    await eventually('the end of every process', () =>
      readdirSync(join(stage.folder, 'run')).every(file => file.startsWith('emulator')) ? true : undefined,
    )
    expect(readdirSync(join(stage.folder, 'sagemaker', 'model-servers'))).toEqual([])
  })
})
