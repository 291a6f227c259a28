import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { GetFunctionConfigurationCommand, LambdaClient } from '@aws-sdk/client-lambda'
import { type Deployment, deployApp } from '../../local/deploy.ts'
import { type Emulator, startEmulator } from '../../local/emulator/emulator.ts'
import { freePort } from '../../local/ports.ts'

const REPOSITORY = resolve(import.meta.dirname, '../..')
const MINUTES = 60_000

let folder: string
let emulator: Emulator
let first: Deployment

const options = () => ({
  emulatorUrl: emulator.url,
  configDir: join(folder, 'config'),
  stage: 'local',
  outDir: join(folder, 'out'),
  logDir: join(folder, 'logs'),
  runDir: join(folder, 'run'),
})

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'openledger-deploy-'))
  mkdirSync(join(folder, 'config'))
  writeFileSync(join(folder, 'config', 'local.json'), JSON.stringify(localStage))
  emulator = await startEmulator({
    port: await freePort(),
    stateDir: join(folder, 'state'),
    logDir: join(folder, 'logs'),
    runDir: join(folder, 'run'),
    venvDir: join(REPOSITORY, '.local/tools/emulator-venv'),
    sagemakerUrl: 'http://127.0.0.1:1',
    persist: false,
  })
  first = await deployApp(options())
}, 10 * MINUTES)

afterAll(async () => {
  await emulator?.stop()
  rmSync(folder, { recursive: true, force: true })
})

test('the unchanged app is deployed, and its interface answers with the facts of the stage', async () => {
  expect(first.deployed).toBe(true)
  const answer = await fetch(`${first.apiUrl}/v1/genesis`)
  expect(answer.status).toBe(200)
  expect(await answer.json()).toMatchObject({
    stage: 'local',
    deploymentId: localStage.genesis.deploymentId,
    governors: localStage.genesis.governors,
    signers: {
      receipt: expect.stringMatching(/^0x[0-9a-f]{40}$/),
      warrant: expect.stringMatching(/^0x[0-9a-f]{40}$/),
      logHead: expect.stringMatching(/^openledger\/1+\+[0-9a-f]{8}\+/),
    },
  })
})

test('a browser of any origin may ask', async () => {
  const answer = await fetch(`${first.apiUrl}/v1/proposals`, {
    method: 'OPTIONS',
    headers: { origin: 'http://example.org' },
  })
  expect(answer.headers.get('access-control-allow-origin')).toBe('*')
  expect(answer.headers.get('access-control-allow-methods')).toContain('POST')
})

test('the streamed function can be found, with its variables, by the edge that runs it', async () => {
  const lambda = new LambdaClient({
    endpoint: emulator.url,
    region: 'us-east-1',
    credentials: { accessKeyId: 'local', secretAccessKey: 'local' },
  })
  const name = first.outputs.CreateChatCompletionFunctionName
  const { Environment } = await lambda.send(new GetFunctionConfigurationCommand({ FunctionName: name }))
  expect(Environment?.Variables).toMatchObject({
    STAGE: 'local',
    SERVING_TABLE: first.outputs.ServingTableName,
  })
})

test(
  'what did not change is not deployed again, and is named the same',
  async () => {
    const again = await deployApp(options())
    expect(again).toMatchObject({
      deployed: false,
      outputs: first.outputs,
      seconds: { bootstrap: 0, deploy: 0 },
    })
  },
  5 * MINUTES,
)

test(
  'a stage that is not there fails with what the app said',
  async () => {
    await expect(deployApp({ ...options(), stage: 'elsewhere' })).rejects.toThrow(
      /no stage "elsewhere".*there are: local/,
    )
  },
  5 * MINUTES,
)

const localStage = {
  local: true,
  rehearsal: true,
  retain: false,
  genesis: {
    deploymentId: `0x${'1'.repeat(64)}`,
    chainId: 31_337,
    gOpen: `0x${'2'.repeat(40)}`,
    openToken: `0x${'3'.repeat(40)}`,
    rewardClaims: `0x${'4'.repeat(40)}`,
    rpcUrls: ['http://127.0.0.1:1'],
    governors: { addresses: [`0x${'5'.repeat(40)}`], threshold: 1 },
    rules: 'rehearsal',
  },
  modelProfiles: ['cpu-135m'],
  modelPrices: { 'cpu-135m': { promptPerMillionWei: '1000000', completionPerMillionWei: '2000000' } },
  logRetentionDays: 7,
  throttle: { requestsPerSecond: 1_000, burst: 2_000 },
}
