import { execFileSync } from 'node:child_process'
import { readdirSync, readFileSync, statSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { CreateTrainingJobCommand, type DescribeTrainingJobCommandOutput } from '@aws-sdk/client-sagemaker'
import { aSpotJob, aStage, isOver, jobWhen, type Stage, TRAINING_VENV } from './sagemaker-stage.ts'

/** Each start of a training script imports torch: up to half a minute where the cores are taken. */
const SLOW_MS = 300_000

const TRAINING = resolve(import.meta.dirname, '../../training')
const PYTHON = join(TRAINING_VENV, 'bin/python')

let stage: Stage
beforeAll(async () => {
  stage = await aStage({ python: PYTHON, stopGraceSeconds: 60, checkpointSyncMs: 500 })
  const archive = join(stage.folder, 'training.tar.gz')
  execFileSync('tar', [
    '-czf',
    archive,
    '-C',
    TRAINING,
    ...readdirSync(TRAINING).filter(name => name.endsWith('.py')),
  ])
  await stage.put('code/training.tar.gz', readFileSync(archive))
  const model = join(stage.folder, 'tiny')
  execFileSync(PYTHON, [join(TRAINING, 'tiny_model.py'), '--out', model, '--seed', '3'], { stdio: 'ignore' })
  for (const file of readdirSync(model))
    if (statSync(join(model, file)).isFile())
      await stage.put(`model/${file}`, readFileSync(join(model, file)))
  const records = Array.from({ length: 48 }, (_, index) => ({
    id: `r${index}`,
    messages: [
      { role: 'user', content: `list thing ${index}` },
      { role: 'assistant', content: `s3:ListThing${index}` },
    ],
    group: `g${index % 6}`,
    contributor: `c${index % 3}`,
  }))
  await stage.put('records/train.jsonl', records.map(record => `${JSON.stringify(record)}\n`).join(''))
}, SLOW_MS)
afterAll(() => stage?.stop(), 90_000)

/** The same fine-tune under another name, each with checkpoints of its own. */
const fineTune = async (name: string): Promise<DescribeTrainingJobCommandOutput> => {
  const job = aSpotJob(name, name, {
    sagemaker_program: 'finetune.py',
    sagemaker_submit_directory: 's3://artifacts/code/training.tar.gz',
    'checkpoint-key': 'key',
    seed: '5',
    epochs: '2',
    'batch-size': '4',
    'logging-steps': '1',
    'checkpoint-steps': '4',
  })
  await stage.sagemaker().send(
    new CreateTrainingJobCommand({
      ...job,
      StoppingCondition: { MaxRuntimeInSeconds: 900, MaxWaitTimeInSeconds: 900 },
      InputDataConfig: ['model', 'train'].map(channel => ({
        ChannelName: channel,
        DataSource: {
          S3DataSource: {
            S3DataType: 'S3Prefix',
            S3Uri: `s3://artifacts/${channel === 'train' ? 'records' : channel}/`,
          },
        },
      })),
    }),
  )
  return jobWhen(stage, name, isOver, SLOW_MS)
}
const digestOf = async (key: string) => {
  const answer = await fetch(`${stage.s3Endpoint}/artifacts/${key}`)
  expect(answer.status).toBe(200)
  return Buffer.from(await crypto.subtle.digest('SHA-256', await answer.arrayBuffer())).toString('hex')
}

test(
  'a fine-tune that lost its instance at a random step ends with the weights of one that did not',
  async () => {
    const whole = await fineTune('whole-1')
    expect([whole.FailureReason, whole.TrainingJobStatus]).toEqual([undefined, 'Completed'])

    const atStep = 5 + Math.floor(Math.random() * 16)
    const fault = { kind: 'spot-interruption', job: 'spot-1', atStep }
    await fetch(`${stage.url()}/local/faults`, { method: 'POST', body: JSON.stringify(fault) })
    const spot = await fineTune('spot-1')
    const facts = { atStep, reason: spot.FailureReason, status: spot.TrainingJobStatus }
    expect(facts).toEqual({ atStep, reason: undefined, status: 'Completed' })
    expect(spot.SecondaryStatusTransitions!.map(transition => transition.Status)).toContain('Interrupted')
    const { points } = (await (await fetch(`${stage.url()}/local/training-jobs/spot-1/metrics`)).json()) as {
      points: { step: number; attempt: number }[]
    }
    const resumedAt = Math.min(...points.filter(point => point.attempt === 2).map(point => point.step))
    expect(resumedAt).toBeGreaterThan(1) // it went on and did not begin again

    // One CPU type and one seed: the very same bytes.
    const merged = (name: string) => digestOf(`runs/${name}/output/model/merged/model.safetensors`)
    expect({ atStep, digest: await merged('spot-1') }).toEqual({ atStep, digest: await merged('whole-1') })
  },
  3 * SLOW_MS,
)
