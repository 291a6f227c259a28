/** A local SageMaker with a real S3 (the emulator) beside it, and the unmodified SDK in front of both. */
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import {
  CreateBucketCommand,
  GetObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  S3Client,
} from '@aws-sdk/client-s3'
import {
  type CreateTrainingJobCommandInput,
  DescribeTrainingJobCommand,
  type DescribeTrainingJobCommandOutput,
  SageMakerClient,
} from '@aws-sdk/client-sagemaker'
import { SageMakerRuntimeClient } from '@aws-sdk/client-sagemaker-runtime'
import { startEmulator } from '../../local/emulator/emulator.ts'
import { freePort } from '../../local/ports.ts'
import { type SageMaker, type SageMakerOptions, startSageMaker } from '../../local/sagemaker/sagemaker.ts'

// Starting processes takes seconds where the machine is busy.
const { jest } = import.meta as ImportMeta & { jest: { setTimeout(milliseconds: number): void } }
jest.setTimeout(60_000)

const ROOT = resolve(import.meta.dirname, '../..')
export const FIXTURES = join(import.meta.dirname, 'sagemaker-fixtures')
export const EMULATOR_VENV = join(ROOT, '.local/tools/emulator-venv')
export const TRAINING_VENV = join(ROOT, '.local/tools/training-venv')
/** The tiny jobs need no framework. */
export const PLAIN_PYTHON = join(EMULATOR_VENV, 'bin/python')
const BUCKET = 'artifacts'

export type Stage = {
  folder: string
  s3Endpoint: string
  url: () => string
  sagemaker: () => SageMakerClient
  runtime: () => SageMakerRuntimeClient
  put: (key: string, body: string | Uint8Array) => Promise<void>
  text: (key: string) => Promise<string>
  keys: (prefix: string) => Promise<string[]>
  /** Stops the server and starts it again on the same state. */
  restart: () => Promise<void>
  stop: () => Promise<void>
}

/** `options` go over short stand-ins for AWS's times. */
export async function aStage(options: Partial<SageMakerOptions> = {}): Promise<Stage> {
  const folder = mkdtempSync(join(tmpdir(), 'openledger-sagemaker-'))
  const [emulatorPort, port] = [await freePort(), await freePort()]
  const emulator = await startEmulator({
    port: emulatorPort,
    stateDir: join(folder, 'emulator'),
    logDir: join(folder, 'logs'),
    runDir: join(folder, 'run'),
    venvDir: EMULATOR_VENV,
    sagemakerUrl: `http://127.0.0.1:${port}`,
    persist: false,
  })
  const s3 = new S3Client({
    endpoint: emulator.url,
    region: 'us-east-1',
    forcePathStyle: true,
    credentials: { accessKeyId: 'test', secretAccessKey: 'test' },
  })
  await s3.send(new CreateBucketCommand({ Bucket: BUCKET }))
  const put = async (key: string, body: string | Uint8Array) => {
    await s3.send(new PutObjectCommand({ Bucket: BUCKET, Key: key, Body: body }))
  }
  const archive = join(folder, 'code.tar.gz')
  execFileSync('tar', ['-czf', archive, '-C', join(FIXTURES, 'job'), 'tiny_job.py'])
  await put('code/tiny.tar.gz', readFileSync(archive))
  await put('train/part-1.txt', '3 1 4 1 5')
  await put('train/deep/part-2.txt', '9 2 6')

  const settings: SageMakerOptions = {
    port,
    stateDir: join(folder, 'sagemaker'),
    logDir: join(folder, 'logs'),
    runDir: join(folder, 'run'),
    trainingVenv: TRAINING_VENV,
    python: PLAIN_PYTHON,
    s3Endpoint: emulator.url,
    stopGraceSeconds: 2,
    checkpointSyncMs: 50,
    niceness: 0,
    ...options,
  }
  let server: SageMaker = await startSageMaker(settings)
  // As in production: the clients find the server by the environment alone.
  Object.assign(process.env, {
    AWS_REGION: 'us-east-1',
    AWS_ACCESS_KEY_ID: 'test',
    AWS_SECRET_ACCESS_KEY: 'test',
    AWS_ENDPOINT_URL_SAGEMAKER: server.url,
    AWS_ENDPOINT_URL_SAGEMAKER_RUNTIME: server.url,
  })
  const sagemaker = new SageMakerClient({})
  const runtime = new SageMakerRuntimeClient({ maxAttempts: 1 })
  return {
    folder,
    s3Endpoint: emulator.url,
    url: () => server.url,
    sagemaker: () => sagemaker,
    runtime: () => runtime,
    put,
    async text(key) {
      const object = await s3.send(new GetObjectCommand({ Bucket: BUCKET, Key: key }))
      return (await object.Body?.transformToString()) ?? ''
    },
    async keys(prefix) {
      const page = await s3.send(new ListObjectsV2Command({ Bucket: BUCKET, Prefix: prefix }))
      return (page.Contents ?? []).map(item => item.Key ?? '')
    },
    async restart() {
      await server.stop()
      server = await startSageMaker(settings)
    },
    async stop() {
      sagemaker.destroy()
      runtime.destroy()
      s3.destroy()
      await server.stop()
      await emulator.stop()
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

/** A job that AWS would take; the hyperparameters are those of `tiny_job.py`. */
export function aTrainingJob(
  name: string,
  hyperParameters: Record<string, string> = {},
  changes: Partial<CreateTrainingJobCommandInput> = {},
): CreateTrainingJobCommandInput {
  return {
    TrainingJobName: name,
    RoleArn: 'arn:aws:iam::000000000000:role/training',
    AlgorithmSpecification: {
      TrainingImage: '763104351884.dkr.ecr.us-east-1.amazonaws.com/huggingface-pytorch-training:2.9',
      TrainingInputMode: 'File',
      MetricDefinitions: [{ Name: 'loss', Regex: '"loss": ?([0-9.eE+-]+)' }],
    },
    HyperParameters: {
      sagemaker_program: 'tiny_job.py',
      sagemaker_submit_directory: `s3://${BUCKET}/code/tiny.tar.gz`,
      ...hyperParameters,
    },
    InputDataConfig: [
      {
        ChannelName: 'train',
        DataSource: { S3DataSource: { S3DataType: 'S3Prefix', S3Uri: `s3://${BUCKET}/train/` } },
      },
    ],
    OutputDataConfig: { S3OutputPath: `s3://${BUCKET}/runs/`, CompressionType: 'NONE' },
    ResourceConfig: { InstanceType: 'ml.g5.xlarge', InstanceCount: 1, VolumeSizeInGB: 30 },
    StoppingCondition: { MaxRuntimeInSeconds: 60 },
    ...changes,
  }
}

/** The same on spot capacity, with checkpoints under `checkpoints/{key}`. */
export function aSpotJob(
  name: string,
  key: string,
  hyperParameters: Record<string, string> = {},
): CreateTrainingJobCommandInput {
  return aTrainingJob(name, hyperParameters, {
    EnableManagedSpotTraining: true,
    StoppingCondition: { MaxRuntimeInSeconds: 60, MaxWaitTimeInSeconds: 120 },
    CheckpointConfig: { S3Uri: `s3://${BUCKET}/checkpoints/${key}/` },
  })
}

/** Waits until `look` gives something, for at most `withinMs`. */
export async function eventually<T>(
  what: string,
  look: () => Promise<T | undefined> | T | undefined,
  withinMs = 20_000,
): Promise<T> {
  const deadline = Date.now() + withinMs
  for (;;) {
    const found = await look()
    if (found !== undefined) return found
    if (Date.now() > deadline) throw new Error(`Not seen within ${withinMs} ms: ${what}`)
    await sleep(50)
  }
}

/** The description of a job once `isIt` holds. */
export function jobWhen(
  stage: Stage,
  name: string,
  isIt: (job: DescribeTrainingJobCommandOutput) => boolean,
  withinMs?: number,
): Promise<DescribeTrainingJobCommandOutput> {
  let last = ''
  return eventually(
    `training job ${name}`,
    async () => {
      const job = await stage.sagemaker().send(new DescribeTrainingJobCommand({ TrainingJobName: name }))
      last = `${job.TrainingJobStatus}/${job.SecondaryStatus} ${job.FailureReason ?? ''}`
      return isIt(job) ? job : undefined
    },
    withinMs,
  ).catch((error: Error) => {
    throw new Error(`${error.message}; it was ${last}`)
  })
}

export const isOver = (job: DescribeTrainingJobCommandOutput): boolean =>
  ['Completed', 'Failed', 'Stopped'].includes(job.TrainingJobStatus ?? '')
