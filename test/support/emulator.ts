import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { CreateTableCommand, DynamoDBClient } from '@aws-sdk/client-dynamodb'
import { CreateEventBusCommand, EventBridgeClient } from '@aws-sdk/client-eventbridge'
import { CreateKeyCommand, KMSClient } from '@aws-sdk/client-kms'
import { CreateBucketCommand, S3Client } from '@aws-sdk/client-s3'
import { rulePresets } from '../../domain/governance/rules.ts'
import { startEmulator } from '../../local/emulator/emulator.ts'
import { freePort } from '../../local/ports.ts'
import { aStage } from './governance-stage.ts'

/** Starting Python on a busy machine. */
export const EMULATOR_LIMIT_MS = 90_000
/** Real calls to the emulator, with other suites on the same cores. */
export const TEST_LIMIT_MS = 60_000

const REPOSITORY = resolve(import.meta.dirname, '../..')
const TABLES = ['governance', 'data', 'log', 'training', 'alignment', 'rewards', 'serving'] as const
const BUCKETS = ['uploads', 'data', 'artifacts', 'public'] as const
const KEYS = { RECEIPT: 'secp', WARRANT: 'secp', PAYOUT: 'secp', LOG_HEAD: 'ed25519' } as const

export type TestAws = { readonly url: string; stop(): Promise<void> }

/**
 * One emulator for a test file, with every table, bucket, key and the bus of a stage. The process's environment
 * then is a function's with all rights, so that handlers and `deps` run in the test's own process.
 *
 * @param sagemakerUrl where task states find SageMaker; nowhere unless said
 */
export async function startTestAws(sagemakerUrl = 'http://127.0.0.1:9'): Promise<TestAws> {
  const dir = mkdtempSync(join(tmpdir(), 'openledger-test-aws-'))
  const emulator = await startEmulator({
    port: await freePort(),
    stateDir: join(dir, 'state'),
    logDir: dir,
    runDir: join(dir, 'run'),
    venvDir: join(REPOSITORY, '.local/tools/emulator-venv'),
    sagemakerUrl,
    persist: false,
  })
  Object.assign(process.env, {
    AWS_ENDPOINT_URL: emulator.url,
    AWS_REGION: 'us-east-1',
    AWS_ACCESS_KEY_ID: 'test',
    AWS_SECRET_ACCESS_KEY: 'test',
    ...stageEnvironment(),
  })
  try {
    Object.assign(process.env, await makeResources())
  } catch (error) {
    await emulator.stop()
    throw error
  }
  return {
    url: emulator.url,
    async stop() {
      await emulator.stop()
      rmSync(dir, { recursive: true, force: true })
    },
  }
}

/** The deployment of `aStage()`, as infra tells it to functions. */
function stageEnvironment(): Record<string, string> {
  const { rules: _rules, stage, ...facts } = aStage().genesis
  return {
    STAGE: stage,
    GENESIS: JSON.stringify({ ...facts, rpcUrls: [] }),
    RULES: JSON.stringify(rulePresets.rehearsal),
    LOG_ORIGIN: `openledger/${facts.deploymentId.slice(2)}`,
    MODEL_PROFILES: JSON.stringify({
      tiny: { name: 'tiny', training: { usdMicroPerHour: 3_600, maxRuntimeSeconds: 100, instanceCount: 1 } },
    }),
  }
}

async function makeResources(): Promise<Record<string, string>> {
  const dynamo = new DynamoDBClient({})
  const s3 = new S3Client({ forcePathStyle: true })
  const kms = new KMSClient({})
  const environment: Record<string, string> = { EVENT_BUS: 'test-bus' }
  const table = async (name: string) => {
    await dynamo.send(tableCommand(`test-${name}`))
    environment[`${name.toUpperCase()}_TABLE`] = `test-${name}`
  }
  const bucket = async (name: string) => {
    await s3.send(new CreateBucketCommand({ Bucket: `test-${name}` }))
    environment[`${name.toUpperCase()}_BUCKET`] = `test-${name}`
  }
  const key = async (purpose: string, spec: 'secp' | 'ed25519') => {
    const KeySpec = spec === 'secp' ? 'ECC_SECG_P256K1' : 'ECC_NIST_EDWARDS25519'
    const { KeyMetadata } = await kms.send(new CreateKeyCommand({ KeySpec, KeyUsage: 'SIGN_VERIFY' }))
    environment[`${purpose}_KEY_ID`] = KeyMetadata?.KeyId ?? ''
  }
  await Promise.all([
    ...TABLES.map(table),
    ...BUCKETS.map(bucket),
    ...Object.entries(KEYS).map(([purpose, spec]) => key(purpose, spec)),
    new EventBridgeClient({}).send(new CreateEventBusCommand({ Name: 'test-bus' })),
  ])
  return environment
}

/** As infra/constructs/ledger-table.ts makes it. */
function tableCommand(TableName: string) {
  return new CreateTableCommand({
    TableName,
    BillingMode: 'PAY_PER_REQUEST',
    AttributeDefinitions: ['pk', 'sk', 'gsi1pk', 'gsi1sk'].map(AttributeName => ({
      AttributeName,
      AttributeType: 'S',
    })),
    KeySchema: [
      { AttributeName: 'pk', KeyType: 'HASH' },
      { AttributeName: 'sk', KeyType: 'RANGE' },
    ],
    GlobalSecondaryIndexes: [
      {
        IndexName: 'byKind',
        KeySchema: [
          { AttributeName: 'gsi1pk', KeyType: 'HASH' },
          { AttributeName: 'gsi1sk', KeyType: 'RANGE' },
        ],
        Projection: { ProjectionType: 'ALL' },
      },
    ],
  })
}
