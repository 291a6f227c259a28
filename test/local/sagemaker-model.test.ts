import { execFileSync } from 'node:child_process'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import {
  CreateEndpointCommand,
  CreateEndpointConfigCommand,
  CreateInferenceComponentCommand,
  CreateModelCommand,
  CreateTrainingJobCommand,
  DescribeEndpointCommand,
  DescribeInferenceComponentCommand,
} from '@aws-sdk/client-sagemaker'
import {
  InvokeEndpointCommand,
  InvokeEndpointWithResponseStreamCommand,
} from '@aws-sdk/client-sagemaker-runtime'
import {
  aStage,
  aTrainingJob,
  eventually,
  isOver,
  jobWhen,
  type Stage,
  TRAINING_VENV,
} from './sagemaker-stage.ts'

/** Importing torch takes up to half a minute where the disk is cold and the cores are taken. */
const SLOW_MS = 150_000

let stage: Stage
beforeAll(async () => {
  stage = await aStage({ python: join(TRAINING_VENV, 'bin/python') })
}, 60_000)
afterAll(() => stage?.stop(), 60_000)

describe('a model made by a training job', () => {
  test(
    'is served by transformers from the job’s own output, greedy answers repeat and streams are progressive',
    async () => {
      // The job makes a tiny random model, with the training code as it ships.
      const archive = join(stage.folder, 'training.tar.gz')
      const training = resolve(import.meta.dirname, '../../training')
      const program = join(stage.folder, 'make')
      mkdirSync(program)
      writeFileSync(
        join(program, 'make_model.py'),
        [
          'import os, subprocess, sys',
          'out = os.path.join(os.environ["SM_MODEL_DIR"], "merged")',
          'subprocess.run([sys.executable, "tiny_model.py", "--out", out, "--seed", "7"], check=True)',
        ].join('\n'),
      )
      execFileSync('tar', ['-czf', archive, '-C', program, 'make_model.py', '-C', training, '.'])
      await stage.put('code/training.tar.gz', readFileSync(archive))
      await stage.sagemaker().send(
        new CreateTrainingJobCommand(
          aTrainingJob('make-model-1', {
            sagemaker_program: 'make_model.py',
            sagemaker_submit_directory: 's3://artifacts/code/training.tar.gz',
          }),
        ),
      )
      const job = await jobWhen(stage, 'make-model-1', isOver, SLOW_MS)
      expect(job.FailureReason).toBeUndefined()

      const send = stage.sagemaker()
      const role = 'arn:aws:iam::000000000000:role/serving'
      await send.send(
        new CreateModelCommand({
          ModelName: 'tiny',
          ExecutionRoleArn: role,
          PrimaryContainer: {
            Image: 'vllm',
            ModelDataSource: {
              S3DataSource: {
                S3Uri: `${job.ModelArtifacts!.S3ModelArtifacts}/merged/`,
                S3DataType: 'S3Prefix',
                CompressionType: 'None',
              },
            },
          },
        }),
      )
      await send.send(
        new CreateEndpointConfigCommand({
          EndpointConfigName: 'tiny',
          ExecutionRoleArn: role,
          ProductionVariants: [
            { VariantName: 'main', InstanceType: 'ml.g5.xlarge', InitialInstanceCount: 1 },
          ],
        }),
      )
      await send.send(new CreateEndpointCommand({ EndpointName: 'tiny', EndpointConfigName: 'tiny' }))
      await eventually('the endpoint', async () => {
        const seen = await send.send(new DescribeEndpointCommand({ EndpointName: 'tiny' }))
        return seen.EndpointStatus === 'InService' || undefined
      })
      await send.send(
        new CreateInferenceComponentCommand({
          InferenceComponentName: 'tiny-1',
          EndpointName: 'tiny',
          VariantName: 'main',
          Specification: { ModelName: 'tiny', ComputeResourceRequirements: { MinMemoryRequiredInMb: 512 } },
          RuntimeConfig: { CopyCount: 1 },
        }),
      )
      await eventually(
        'the component',
        async () => {
          const seen = await send.send(
            new DescribeInferenceComponentCommand({ InferenceComponentName: 'tiny-1' }),
          )
          if (seen.InferenceComponentStatus === 'Failed') throw new Error(seen.FailureReason)
          return seen.InferenceComponentStatus === 'InService' || undefined
        },
        SLOW_MS,
      )

      const question = {
        model: 'openledger/tiny',
        messages: [{ role: 'user', content: 'Which action lists buckets?' }],
        max_tokens: 40,
      }
      const ask = async (changes: object): Promise<string> => {
        const answer = await stage.runtime().send(
          new InvokeEndpointCommand({
            EndpointName: 'tiny',
            InferenceComponentName: 'tiny-1',
            Body: JSON.stringify({ ...question, ...changes }),
          }),
        )
        const body = JSON.parse(Buffer.from(answer.Body!).toString('utf8'))
        expect(body.model).toBe('openledger/tiny')
        expect(body.usage.completion_tokens).toBeGreaterThan(0)
        return body.choices[0].message.content
      }
      const greedy = await ask({ temperature: 0 })
      expect(await ask({ temperature: 0 })).toBe(greedy)
      // Random weights are nearly uniform: a sampled answer of 40 characters is another one, whatever the seed.
      const sampled = [await ask({ temperature: 1, seed: 1 }), await ask({ temperature: 1, seed: 2 })]
      expect(new Set([greedy, ...sampled]).size).toBe(3)
      expect(await ask({ temperature: 1, seed: 1 })).toBe(sampled[0])

      const streamed = await stage.runtime().send(
        new InvokeEndpointWithResponseStreamCommand({
          EndpointName: 'tiny',
          InferenceComponentName: 'tiny-1',
          Body: JSON.stringify({ ...question, temperature: 0, stream: true }),
        }),
      )
      let text = ''
      let pieces = 0
      for await (const event of streamed.Body!) {
        pieces++
        text += Buffer.from(event.PayloadPart!.Bytes!).toString('utf8')
      }
      expect(pieces).toBeGreaterThan(3)
      const content = text
        .split('\n\n')
        .filter(line => line.startsWith('data: {'))
        .map(line => JSON.parse(line.slice('data: '.length)).choices[0]?.delta.content ?? '')
        .join('')
      expect(content).toBe(greedy)
      expect(text.endsWith('data: [DONE]\n\n')).toBe(true)
    },
    3 * SLOW_MS,
  )
})
