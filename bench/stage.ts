import { execFileSync } from 'node:child_process'
import { join, resolve } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { GetFunctionConfigurationCommand, LambdaClient, paginateListFunctions } from '@aws-sdk/client-lambda'
import { S3Client } from '@aws-sdk/client-s3'
import { importArtifacts } from '../cli/artifacts/import-artifacts.ts'
import { type Stack, startStack } from '../local/stack.ts'

export const REPOSITORY = resolve(import.meta.dirname, '..')
export const PYTHON = join(REPOSITORY, '.local/tools/training-venv/bin/python')
export const BASE_MODEL = join(REPOSITORY, '.local/base-models/smollm2-135m')
const POLL_MS = 100
/** A governor of a community in which nobody proposes anything. */
const NOBODY = `0x${'0'.repeat(39)}1`

/** A freshly deployed local stack that several benches share. */
export type Stage = {
  readonly stack: Stack
  readonly folder: string
  readonly bucket: string
  /** The variables of a deployed function, by its file: `governance/cast-ballot`. */
  environmentOf(handler: string): Promise<Record<string, string>>
  /** Brings a model folder and the training code into the artifact bucket. */
  bring(modelFolder: string): ReturnType<typeof importArtifacts>
}

/** Starts it in `folder` and points this process's AWS clients at it. */
export async function startStage(folder: string, onProgress: (step: string) => void): Promise<Stage> {
  const stack = await startStack({
    home: folder,
    tools: join(REPOSITORY, '.local'),
    governors: { addresses: [NOBODY], threshold: 1 },
    onProgress,
  })
  Object.assign(process.env, {
    AWS_REGION: 'us-east-1',
    AWS_ACCESS_KEY_ID: 'local',
    AWS_SECRET_ACCESS_KEY: 'local',
    AWS_ENDPOINT_URL: stack.emulatorUrl,
    AWS_ENDPOINT_URL_SAGEMAKER: stack.sagemakerUrl,
    AWS_ENDPOINT_URL_SAGEMAKER_RUNTIME: stack.sagemakerUrl,
    // A terminal is no CloudWatch: what handlers log would be measured as the writing of it.
    POWERTOOLS_LOG_LEVEL: 'SILENT',
  })
  const bucket = stack.deployment.outputs.ArtifactsBucketName!
  const s3 = new S3Client({ forcePathStyle: true })
  const lambda = new LambdaClient({})
  return {
    stack,
    folder,
    bucket,
    async environmentOf(handler) {
      for await (const { Functions = [] } of paginateListFunctions({ client: lambda }, {})) {
        const found = Functions.find(({ Description }) => Description === `functions/${handler}.ts`)
        if (found === undefined) continue
        const { FunctionName } = found
        const { Environment } = await lambda.send(new GetFunctionConfigurationCommand({ FunctionName }))
        return Environment?.Variables ?? {}
      }
      throw new Error(`functions/${handler}.ts is not deployed`)
    },
    bring: modelFolder =>
      importArtifacts(s3, {
        bucket,
        modelFolder,
        trainingFolder: join(REPOSITORY, 'training'),
        recipeFile: join(REPOSITORY, 'training/recipes/cpu-135m.json'),
        sets: {},
      }),
  }
}

/** A random model of two layers: what it is asked costs milliseconds, so that what lies before it shows. */
export function tinyModel(folder: string): string {
  const out = join(folder, 'tiny-model')
  execFileSync(PYTHON, [join(REPOSITORY, 'training/tiny_model.py'), '--out', out, '--seed', '1'], {
    stdio: 'ignore',
  })
  return out
}

/** Asks until there is an answer. @throws Error when there is none within `withinSeconds` */
export async function until<T>(
  what: string,
  withinSeconds: number,
  ask: () => Promise<T | undefined>,
): Promise<T> {
  const deadline = performance.now() + withinSeconds * 1_000
  for (;;) {
    const answer = await ask()
    if (answer !== undefined) return answer
    if (performance.now() > deadline) throw new Error(`${what}: not within ${withinSeconds} s`)
    await sleep(POLL_MS)
  }
}
