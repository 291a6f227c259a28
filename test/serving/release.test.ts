import { readFileSync } from 'node:fs'
import { join, relative, resolve } from 'node:path'
import { CreateFunctionCommand, InvokeCommand, LambdaClient } from '@aws-sdk/client-lambda'
import { ListInferenceComponentsCommand } from '@aws-sdk/client-sagemaker'
import {
  CreateStateMachineCommand,
  DescribeExecutionCommand,
  type DescribeExecutionCommandOutput,
  SFNClient,
  StartExecutionCommand,
} from '@aws-sdk/client-sfn'
import { buildSync } from 'esbuild'
import type { Lineage } from '../../api/schemas/training.ts'
import type { Bytes32 } from '../../domain/protocol/hex.ts'
import { documentDigest } from '../../domain/protocol/ids.ts'
import { handler as logGenesis } from '../../functions/data/log-genesis.ts'
import { deps } from '../../functions/deps.ts'
import { handler as listModels } from '../../functions/serving/list-models.ts'
import { zip } from '../local/emulator-zip.ts'
import { eventually } from '../local/sagemaker-stage.ts'
import { callRoute } from '../support/call-route.ts'
import { someTerms } from '../support/contributions.ts'
import { EMULATOR_LIMIT_MS } from '../support/emulator.ts'
import { hashOf, type ServingStage, startServingStage } from './serving-stage.ts'

const ROOT = resolve(import.meta.dirname, '../..')
const ROLE = 'arn:aws:iam::000000000000:role/test'
const recipe = {
  schema: 1,
  profile: 'tiny',
  code: 'a'.repeat(64),
  wheels: null,
  jobs: { evaluate: { 'max-new-tokens': '6' } },
}
const RECIPE = documentDigest(recipe)
const sealed = Array.from({ length: 9 }, (_, at) => ({
  id: `q${at}`,
  messages: [{ role: 'user', content: `question ${at} of nine in all` }],
  answer: 'whatever',
  group: 'g',
}))
const sealedDigest = documentDigest(sealed)

let stage: ServingStage
let lambda: LambdaClient
let sfn: SFNClient
let machineArn: string
let datanetId: Bytes32
beforeAll(async () => {
  stage = await startServingStage()
  lambda = new LambdaClient({})
  sfn = new SFNClient({})
  expect(await callRoute(logGenesis)).toMatchObject({ status: 200 })
  const terms = someTerms(
    { sealed: sealedDigest, usefulness: documentDigest('other') },
    { modelProfile: 'tiny', systemPrompt: 'Name it.' },
  )
  datanetId = (await deps.openDatanet()({ id: hashOf('p') }, terms)).datanetId
  await stage.put(`recipes/${RECIPE}.json`, JSON.stringify(recipe))
  await stage.put(`sealed/${sealedDigest}.jsonl`, sealed.map(item => JSON.stringify(item)).join('\n'))
  machineArn = await theMachine()
}, EMULATOR_LIMIT_MS)
afterAll(async () => {
  await stage?.stop()
  lambda?.destroy()
  sfn?.destroy()
}, 30_000)

async function aFunction(name: string, code: Uint8Array, handler = 'index.handler'): Promise<string> {
  const wanted = /^(STAGE|GENESIS|RULES|LOG_ORIGIN|MODEL_|PERIOD_|POWERTOOLS|.*_(TABLE|BUCKET|KEY_ID))/
  const { FunctionArn = '' } = await lambda.send(
    new CreateFunctionCommand({
      FunctionName: name,
      Runtime: 'nodejs24.x',
      Handler: handler,
      Role: ROLE,
      Timeout: 60,
      Environment: {
        Variables: Object.fromEntries(
          Object.entries(process.env).flatMap(([key, value = '']) =>
            wanted.test(key) ? [[key, value]] : [],
          ),
        ),
      },
      Code: { ZipFile: code },
    }),
  )
  return FunctionArn
}
const aStub = (name: string, body: string) =>
  aFunction(name, zip({ 'index.mjs': `export const handler = async event => { ${body} }` }))

/** The handlers as they are deployed: ESM bundles with shared chunks. */
function bundles(...verbs: string[]): Uint8Array {
  const { outputFiles } = buildSync({
    entryPoints: verbs.map(verb => join(ROOT, 'functions/serving', `${verb}.ts`)),
    outdir: ROOT,
    outExtension: { '.js': '.mjs' },
    bundle: true,
    splitting: true,
    write: false,
    platform: 'node',
    target: 'node24',
    format: 'esm',
    mainFields: ['module', 'main'],
    banner: {
      js: "import { createRequire as makeRequire } from 'node:module';const require = makeRequire(import.meta.url)",
    },
  })
  return zip(Object.fromEntries(outputFiles.map(({ path, text }) => [relative(ROOT, path), text])))
}

/** The machine's own definition. Warrant and run are tested with their areas; here they say what they were asked. */
async function theMachine(): Promise<string> {
  const code = bundles('plan-release', 'ask-sealed-prompts', 'move-alias')
  const arns: Record<string, string> = {
    CheckWarrant: await aStub(
      'check-warrant',
      `const { started } = event
      if (!started.warrant) throw Object.assign(new Error('no warrant'), { name: 'warrant-missing' })
      return { ...started, warrantId: started.warrant, proposalId: '0x01', budgetUsdMicro: 0 }`,
    ),
    ContinueBuild: await aStub('continue-build', 'return event'),
    RecordFailure: await aStub('record-failure', 'return event'),
    PlanRelease: await aFunction('plan-release', code, 'plan-release.handler'),
    AskSealedPrompts: await aFunction('ask-sealed-prompts', code, 'ask-sealed-prompts.handler'),
    MoveAlias: await aFunction('move-alias', code, 'move-alias.handler'),
  }
  const definition = readFileSync(join(ROOT, 'state-machines/release.asl.json'), 'utf8').replace(
    /\$\{(\w+)Arn\}/g,
    (_, name: string) => (name === 'ServingRole' ? ROLE : (arns[name] ?? `no function ${name}`)),
  )
  const { stateMachineArn = '' } = await sfn.send(
    new CreateStateMachineCommand({ name: 'release', roleArn: ROLE, definition }),
  )
  return stateMachineArn
}

/** A version whose weights answer with `name`, evaluated with the answers of `evaluatedAs`. */
async function aVersion(name: string, evaluatedAs = name): Promise<Bytes32> {
  const runId = hashOf(`run of ${name}`)
  const evaluation = `test-evaluate-${name}-t0`
  if (name !== 'broken') await stage.put(`runs/${runId}/train/output/model/merged/name.txt`, name)
  else await stage.put(`runs/${runId}/train/output/model/merged/nothing.txt`, name)
  const answers = sealed.map(({ id, messages }, at) => ({
    id,
    system: 'tuned',
    // One answer in nine came out otherwise in the batch of the evaluation; the base model's are not asked for.
    answer:
      at === 0
        ? 'a near tie'
        : `${evaluatedAs}: user=${messages[0]?.content}`.split(' ').slice(0, 6).join(' '),
    correct: true,
  }))
  const lines = [...answers, { id: 'q1', system: 'base', answer: 'of the base model', correct: false }]
  await stage.put(
    `runs/${runId}/${evaluation}/output/model/answers.jsonl`,
    lines.map(line => JSON.stringify(line)).join('\n'),
  )
  const lineage = {
    kind: 'fine-tune',
    datanetId,
    runId,
    recipe: RECIPE,
    jobs: [
      { name: 'test-train', program: 'finetune', image: 'i' },
      { name: evaluation, program: 'evaluate', image: 'i' },
    ],
    weights: { key: `runs/${runId}/train/output/model/merged/` },
  } as unknown as Lineage
  const id = hashOf(`version ${name}`)
  await deps.versions().keep({ id, lineage, createdAt: 1, promoted: true })
  return id
}

let executions = 0
async function release(
  version: Bytes32,
  run: string,
  changes: Record<string, unknown> = {},
): Promise<DescribeExecutionCommandOutput> {
  const input = {
    schema: 1,
    warrant: hashOf(`warrant ${run}`),
    runId: hashOf(`release ${run}`),
    attempt: 1,
    input: { datanetId, version, alias: 'iam' },
    ...changes,
  }
  executions += 1
  const { executionArn } = await sfn.send(
    new StartExecutionCommand({
      stateMachineArn: machineArn,
      name: `e${executions}`,
      input: JSON.stringify(input),
    }),
  )
  return eventually(
    `the end of release ${run}`,
    async () => {
      const execution = await sfn.send(new DescribeExecutionCommand({ executionArn }))
      return execution.status === 'RUNNING' ? undefined : execution
    },
    60_000,
  )
}
const outputOf = ({ status, output, error, cause }: DescribeExecutionCommandOutput) => {
  if (status !== 'SUCCEEDED') throw new Error(`${status} ${error}: ${cause}`)
  return JSON.parse(output ?? '')
}
const components = async () => {
  const { InferenceComponents = [] } = await stage.sagemaker.send(new ListInferenceComponentsCommand({}))
  return InferenceComponents.map(({ InferenceComponentName }) => InferenceComponentName)
}

describe('a release', () => {
  test('serves the version behind its alias when it answers as it was evaluated', async () => {
    const version = await aVersion('ada')
    const output = outputOf(await release(version, 'one'))
    expect(output).toMatchObject({
      moved: { alias: 'iam', version, previous: null, retired: null },
      smokeTest: { asked: 5, agreed: 4, passed: true, differing: ['q0'] },
    })
    const alias = await stage.aliases.get('iam')
    expect(alias).toMatchObject({
      datanetId,
      generation: 1,
      previous: null,
      systemPrompt: 'Name it.',
      current: { version, warrantId: hashOf('warrant one'), modelProfile: 'tiny' },
    })
    expect(await components()).toEqual([alias?.current.component])
    const { body } = await callRoute(listModels)
    expect(body.data).toEqual([
      expect.objectContaining({ id: 'iam', version, previous_version: null, owned_by: datanetId }),
    ])
    const leaf = {
      kind: 'alias-moved',
      schema: 1,
      alias: 'iam',
      datanetId,
      version,
      previous: null,
      warrantId: hashOf('warrant one'),
      generation: 1,
    }
    const { size } = await deps.logBook().head()
    expect(await deps.log().append(leaf)).toEqual({ index: size - 1 }) // it is there already
  }, 90_000)

  test('attempted again by the same run ends in the same place', async () => {
    const before = await stage.aliases.get('iam')
    outputOf(await release(hashOf('version ada'), 'one'))
    expect(await stage.aliases.get('iam')).toEqual(before)
    expect(await components()).toEqual([before?.current.component])
  }, 90_000)

  test('keeps the version before, and retires the one before that', async () => {
    const [ada] = await components()
    outputOf(await release(await aVersion('bob'), 'two'))
    const second = await stage.aliases.get('iam')
    expect(second).toMatchObject({
      generation: 2,
      previous: { version: hashOf('version ada'), component: ada },
    })
    expect((await components()).sort()).toEqual([ada, second?.current.component].sort())

    const output = outputOf(await release(await aVersion('cleo'), 'three'))
    expect(output.moved).toMatchObject({ previous: hashOf('version bob'), retired: ada })
    const third = await stage.aliases.get('iam')
    await eventually('two components', async () => ((await components()).length === 2 ? true : undefined))
    expect((await components()).sort()).toEqual([second?.current.component, third?.current.component].sort())
  }, 180_000)

  test('of weights that answer otherwise moves nothing and leaves nothing running', async () => {
    const before = await stage.aliases.get('iam')
    const running = (await components()).sort()
    const execution = await release(await aVersion('dora', 'somebody else'), 'four')
    expect(execution).toMatchObject({ status: 'FAILED', error: 'smoke-test-failed' })
    expect(execution.cause).toContain('0 of 5')
    expect(await stage.aliases.get('iam')).toEqual(before)
    await eventually('no more components', async () =>
      (await components()).length === running.length ? true : undefined,
    )
    expect((await components()).sort()).toEqual(running)
  }, 90_000)

  test('of weights that do not load fails with what SageMaker says', async () => {
    const running = (await components()).length
    const execution = await release(await aVersion('broken'), 'five')
    expect(execution).toMatchObject({ status: 'FAILED', error: 'endpoint-failed' })
    expect(execution.cause).toContain('ping health check')
    await eventually('no more components', async () =>
      (await components()).length === running ? true : undefined,
    )
  }, 90_000)

  test('without a warrant passes no state', async () => {
    const running = await components()
    expect(await release(hashOf('version ada'), 'six', { warrant: undefined })).toMatchObject({
      status: 'FAILED',
      error: 'warrant-missing',
    })
    expect(await components()).toEqual(running)
  }, 30_000)

  test("of another Datanet's alias is refused, and its version taken down again", async () => {
    const terms = someTerms(
      { sealed: sealedDigest, usefulness: documentDigest('other') },
      { modelProfile: 'tiny' },
    )
    const other = (await deps.openDatanet()({ id: hashOf('other') }, terms)).datanetId
    const own = datanetId
    datanetId = other
    const version = await aVersion('finn')
    const running = (await components()).length
    const execution = await release(version, 'seven')
    datanetId = own
    expect(execution).toMatchObject({ status: 'FAILED', error: 'conflict' })
    await eventually('no more components', async () =>
      (await components()).length === running ? true : undefined,
    )
  }, 90_000)

  test('of an unknown version plans nothing', async () => {
    const answer = await lambda.send(
      new InvokeCommand({
        FunctionName: 'plan-release',
        Payload: JSON.stringify({
          runId: hashOf('r'),
          attempt: 1,
          input: { datanetId, version: hashOf('none'), alias: 'iam' },
        }),
      }),
    )
    expect(JSON.parse(new TextDecoder().decode(answer.Payload))).toMatchObject({ errorType: 'not-found' })
  })
})
