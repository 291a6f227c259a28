/** A stage that serves: real tables and buckets, the local SageMaker, and a small container in place of a model. */
import { randomBytes } from 'node:crypto'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { PutObjectCommand, S3Client } from '@aws-sdk/client-s3'
import {
  CreateEndpointCommand,
  type CreateEndpointCommandInput,
  CreateEndpointConfigCommand,
  type CreateEndpointConfigCommandInput,
  CreateInferenceComponentCommand,
  type CreateInferenceComponentCommandInput,
  CreateModelCommand,
  type CreateModelCommandInput,
  DescribeEndpointCommand,
  DescribeInferenceComponentCommand,
  SageMakerClient,
} from '@aws-sdk/client-sagemaker'
import { documentClient } from '../../adapters/dynamo/document-client.ts'
import { activityBook, aliasBook, keyBook, usageBook } from '../../adapters/dynamo/serving-table.ts'
import { parseAddress, parseBytes32 } from '../../domain/protocol/hex.ts'
import { keccak256Hex } from '../../domain/protocol/ids.ts'
import type { Alias } from '../../domain/serving/alias.ts'
import { type ApiKey, keyHashOf } from '../../domain/serving/api-key.ts'
import { planRelease, type ServingProfile } from '../../domain/serving/plan-release.ts'
import { freePort } from '../../local/ports.ts'
import { startSageMaker } from '../../local/sagemaker/sagemaker.ts'
import { eventually } from '../local/sagemaker-stage.ts'
import { startTestAws } from '../support/emulator.ts'

const ROOT = resolve(import.meta.dirname, '../..')
const ROLE = 'arn:aws:iam::000000000000:role/serving'

export const hashOf = (text: string) => parseBytes32(keccak256Hex(text))
export const DATANET = hashOf('a datanet')
/** A token of a prompt costs 1, one of a completion 4 base units. */
export const PRICES = { tiny: { promptPerMillionWei: '1000000', completionPerMillionWei: '4000000' } }

export const profile = (environment: Record<string, string> = {}): ServingProfile => ({
  name: 'tiny',
  serving: {
    image: 'openledger-local/transformers-serve:venv',
    instanceType: 'ml.m5.large',
    inferenceAmiVersion: null,
    environment,
    accelerators: 0,
    cpus: 1,
    memoryMb: 512,
    maxCopies: 1,
    idleSeconds: 900,
    modelDataDownloadTimeoutSeconds: 60,
    containerStartupTimeoutSeconds: 60,
  },
})

export type ServingStage = Awaited<ReturnType<typeof startServingStage>>

export async function startServingStage() {
  const folder = mkdtempSync(join(tmpdir(), 'openledger-serving-'))
  const eventsFile = join(folder, 'events')
  const sagemakerPort = await freePort()
  const aws = await startTestAws(`http://127.0.0.1:${sagemakerPort}`)
  const model = profile({ EVENTS_FILE: eventsFile })
  const server = await startSageMaker({
    port: sagemakerPort,
    stateDir: join(folder, 'sagemaker'),
    logDir: join(folder, 'logs'),
    runDir: join(folder, 'run'),
    trainingVenv: join(ROOT, '.local/tools/training-venv'),
    s3Endpoint: aws.url,
    serveCommand: ({ port, weights }) => ({
      command: process.execPath,
      args: [join(import.meta.dirname, 'fixtures/model.mjs'), String(port), weights],
    }),
  })
  Object.assign(process.env, {
    AWS_ENDPOINT_URL_SAGEMAKER: server.url,
    AWS_ENDPOINT_URL_SAGEMAKER_RUNTIME: server.url,
    MODEL_PRICES: JSON.stringify(PRICES),
    PERIOD_SECONDS: String(100 * 365 * 86_400), // a test that meets midnight stays in its period
    POWERTOOLS_LOG_LEVEL: 'SILENT',
    MODEL_PROFILES: JSON.stringify({ tiny: model }),
  })
  const s3 = new S3Client({ forcePathStyle: true })
  const sagemaker = new SageMakerClient({})
  const client = documentClient()
  const table = 'test-serving'
  const books = {
    keys: keyBook(client, table),
    usage: usageBook(client, table),
    aliases: aliasBook(client, table),
    activity: activityBook(client, table),
  }
  const put = async (key: string, body: string, bucket = 'artifacts') => {
    await s3.send(new PutObjectCommand({ Bucket: `test-${bucket}`, Key: key, Body: body }))
  }

  return {
    aws,
    sagemaker,
    sagemakerUrl: server.url,
    ...books,
    put,
    /** What the container noted, line by line. */
    events: () => (existsSync(eventsFile) ? readFileSync(eventsFile, 'utf8').trim().split('\n') : []),

    /** A key with this credit, as a deposit would have bought it. */
    async aKey(creditWei: bigint): Promise<{ text: string; key: ApiKey }> {
      const text = `olk_${randomBytes(32).toString('base64url')}`
      const key: ApiKey = {
        keyHash: keyHashOf(text),
        account: parseAddress(`0x${randomBytes(20).toString('hex')}`),
        depositTx: parseBytes32(`0x${randomBytes(32).toString('hex')}`),
        depositedWei: creditWei,
        creditWei,
        reservedWei: 0n,
        spentWei: 0n,
        createdAt: Date.now(),
        usage: { requests: 0, promptTokens: 0, completionTokens: 0 },
      }
      expect(await books.keys.add(key)).toBe('added')
      return { text, key }
    },

    /** A version in service behind an alias, as a release leaves it. */
    async served(alias: string, systemPrompt = ''): Promise<Alias> {
      await put(`runs/${alias}/merged/name.txt`, alias)
      const plan = planRelease({
        stage: 'test',
        artifactsBucket: 'test-artifacts',
        profile: model,
        datanetId: DATANET,
        versionId: hashOf(`version ${alias}`),
        weightsKey: `runs/${alias}/merged/`,
        runId: hashOf(`run ${alias}`),
        attempt: 1,
      })
      const { ModelName } = plan.model
      await sagemaker.send(
        new CreateModelCommand({ ...plan.model, ExecutionRoleArn: ROLE } as CreateModelCommandInput),
      )
      await sagemaker
        .send(
          new CreateEndpointConfigCommand({
            ...plan.endpointConfig,
            ExecutionRoleArn: ROLE,
          } as unknown as CreateEndpointConfigCommandInput),
        )
        .then(() =>
          sagemaker.send(new CreateEndpointCommand(plan.endpoint as unknown as CreateEndpointCommandInput)),
        )
        .catch(error => expect(String(error)).toMatch(/already existing/))
      const { EndpointName } = plan.endpoint
      await eventually(`endpoint of ${ModelName}`, async () => {
        const { EndpointStatus } = await sagemaker.send(new DescribeEndpointCommand({ EndpointName }))
        return EndpointStatus === 'InService' ? true : undefined
      })
      const component = plan.component as unknown as CreateInferenceComponentCommandInput
      await sagemaker.send(new CreateInferenceComponentCommand(component))
      await inService(sagemaker, plan.component.InferenceComponentName)
      const after: Alias = {
        alias,
        datanetId: DATANET,
        current: {
          version: hashOf(`version ${alias}`),
          endpoint: EndpointName,
          component: plan.component.InferenceComponentName,
          modelProfile: 'tiny',
          movedAt: Date.now(),
          warrantId: hashOf(`warrant ${alias}`),
        },
        previous: null,
        systemPrompt,
        retired: null,
        generation: 1,
      }
      expect(await books.aliases.move(null, after)).toBe(true)
      return after
    },

    async stop() {
      await server.stop()
      await aws.stop()
      for (const one of [s3, sagemaker, client]) one.destroy()
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

export function inService(sagemaker: SageMakerClient, component: string, copies = 1) {
  return eventually(`${copies} copies of ${component}`, async () => {
    const found = await sagemaker.send(
      new DescribeInferenceComponentCommand({ InferenceComponentName: component }),
    )
    if (found.InferenceComponentStatus === 'Failed') throw new Error(found.FailureReason)
    const ready =
      found.InferenceComponentStatus === 'InService' && found.RuntimeConfig?.CurrentCopyCount === copies
    return ready ? found : undefined
  })
}
