import { execFileSync, spawn } from 'node:child_process'
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import {
  AddTagsCommand,
  CreateTrainingJobCommand,
  DescribeTrainingJobCommand,
  type DescribeTrainingJobCommandOutput,
  ListTagsCommand,
  ListTrainingJobsCommand,
  type ListTrainingJobsCommandInput,
  ResourceLimitExceeded,
  StopTrainingJobCommand,
} from '@aws-sdk/client-sagemaker'
import { freePort } from '../../local/ports.ts'
import { endLeftovers } from '../../local/processes.ts'
import {
  aSpotJob,
  aStage,
  aTrainingJob,
  eventually,
  isOver,
  jobWhen,
  PLAIN_PYTHON,
  type Stage,
  TRAINING_VENV,
} from './sagemaker-stage.ts'

let stage: Stage
beforeAll(async () => {
  stage = await aStage()
}, 60_000)
afterAll(() => stage?.stop(), 30_000)

const create = (input: ReturnType<typeof aTrainingJob>) =>
  stage.sagemaker().send(new CreateTrainingJobCommand(input))
const describeJob = (name: string) =>
  stage.sagemaker().send(new DescribeTrainingJobCommand({ TrainingJobName: name }))
const over = (name: string) => jobWhen(stage, name, isOver)
const statuses = (job: DescribeTrainingJobCommandOutput) =>
  (job.SecondaryStatusTransitions ?? []).map(transition => transition.Status)
const aFault = async (fault: unknown) => {
  const answer = await fetch(`${stage.url()}/local/faults`, { method: 'POST', body: JSON.stringify(fault) })
  return { status: answer.status, body: await answer.json() }
}
const resultOf = async (job: string) => JSON.parse(await stage.text(`runs/${job}/output/model/result.json`))

describe('a training job', () => {
  test('runs the script by the script-mode contract and says so in its description', async () => {
    const before = Date.now()
    const created = await create(
      aTrainingJob('plain-1', { steps: '4', 'step-seconds': '0.02' }, { Tags: [{ Key: 'run', Value: '1' }] }),
    )
    expect(created.TrainingJobArn).toBe('arn:aws:sagemaker:us-east-1:000000000000:training-job/plain-1')
    const job = await over('plain-1')
    expect(job).toMatchObject({
      TrainingJobStatus: 'Completed',
      SecondaryStatus: 'Completed',
      ModelArtifacts: { S3ModelArtifacts: 's3://artifacts/runs/plain-1/output/model' },
      FinalMetricDataList: [{ MetricName: 'loss', Value: 0.25 }],
    })
    expect(statuses(job)).toEqual(['Starting', 'Downloading', 'Training', 'Uploading', 'Completed'])
    expect(job.CreationTime!.getTime()).toBeGreaterThanOrEqual(before - 1)
    expect(job.TrainingStartTime!.getTime()).toBeLessThanOrEqual(job.TrainingEndTime!.getTime())
    expect(job.TrainingTimeInSeconds).toBeGreaterThanOrEqual(1)
    expect(job.BillableTimeInSeconds).toBeLessThanOrEqual(job.TrainingTimeInSeconds!)

    expect((await stage.keys('runs/plain-1/')).sort()).toEqual([
      'runs/plain-1/output/data/facts.json',
      'runs/plain-1/output/model/merged/weights.txt',
      'runs/plain-1/output/model/result.json',
    ])
    const { arguments: given, environment } = JSON.parse(
      await stage.text('runs/plain-1/output/data/facts.json'),
    ) as { arguments: string[]; environment: Record<string, string> }
    expect(given).toEqual(['--step-seconds', '0.02', '--steps', '4'])
    expect(environment).toMatchObject({
      SM_HP_STEPS: '4',
      'SM_HP_STEP-SECONDS': '0.02',
      SM_HPS: JSON.stringify({ 'step-seconds': '0.02', steps: '4' }),
      SM_CHANNELS: '["train"]',
      SM_HOSTS: '["algo-1"]',
      SM_CURRENT_HOST: 'algo-1',
      SM_NUM_GPUS: '0',
      TRAINING_JOB_NAME: 'plain-1',
    })
    expect(JSON.parse(environment.SM_TRAINING_ENV!)).toMatchObject({
      job_name: 'plain-1',
      channel_input_dirs: { train: environment.SM_CHANNEL_TRAIN },
    })
    // Nothing of whoever started the server: no credentials, no endpoint.
    expect(Object.keys(environment).filter(name => /SECRET|ACCESS_KEY|ENDPOINT/.test(name))).toEqual([])

    const tags = await stage.sagemaker().send(new ListTagsCommand({ ResourceArn: created.TrainingJobArn }))
    expect(tags.Tags).toEqual([{ Key: 'run', Value: '1' }])
    const added = await stage
      .sagemaker()
      .send(new AddTagsCommand({ ResourceArn: created.TrainingJobArn, Tags: [{ Key: 'run', Value: '2' }] }))
    expect(added.Tags).toEqual([{ Key: 'run', Value: '2' }])
  })

  test('shows every metric point with its step and time, and its log', async () => {
    const { points } = (await (await fetch(`${stage.url()}/local/training-jobs/plain-1/metrics`)).json()) as {
      points: { metric: string; value: number; step: number; at: string }[]
    }
    expect(points.map(point => [point.metric, point.step, point.value])).toEqual([
      ['loss', 1, 1],
      ['loss', 2, 0.5],
      ['loss', 3, 1 / 3],
      ['loss', 4, 0.25],
    ])
    expect(points.every(point => new Date(point.at).toISOString() === point.at)).toBe(true)
    const log = await (await fetch(`${stage.url()}/local/training-jobs/plain-1/log`)).text()
    expect(log).toContain('a line that is no metric\n')
    expect((await fetch(`${stage.url()}/local/training-jobs/unknown/log`)).status).toBe(404)
  })

  test('packs its output where the request leaves the compression to AWS', async () => {
    await create(
      aTrainingJob('packed-1', { steps: '2' }, { OutputDataConfig: { S3OutputPath: 's3://artifacts/runs' } }),
    )
    const job = await over('packed-1')
    expect(job.ModelArtifacts?.S3ModelArtifacts).toBe('s3://artifacts/runs/packed-1/output/model.tar.gz')
    const answer = await fetch(`${stage.s3Endpoint}/artifacts/runs/packed-1/output/model.tar.gz`)
    const archive = join(stage.folder, 'packed.tar.gz')
    writeFileSync(archive, new Uint8Array(await answer.arrayBuffer()))
    const names = execFileSync('tar', ['-tzf', archive], { encoding: 'utf8' })
    expect(names).toContain('./merged/weights.txt')
  })

  test('that fails says what its script wrote about it', async () => {
    await create(
      aTrainingJob('fails-1', { 'fail-at': '2', 'failure-text': `the data is empty ${'x'.repeat(1000)}` }),
    )
    const job = await over('fails-1')
    expect(job.TrainingJobStatus).toBe('Failed')
    expect(job.FailureReason).toMatch(/^AlgorithmError: the data is empty x/)
    expect(job.FailureReason).toHaveLength(1024)
    expect(job.ModelArtifacts?.S3ModelArtifacts).toBeUndefined()
  })

  test('that fails without a word shows the end of its log', async () => {
    await create(aTrainingJob('fails-2', { 'fail-at': '2' }))
    const job = await over('fails-2')
    expect(job.FailureReason).toMatch(/^AlgorithmError: ExecuteUserScriptError:\nExitCode 1\n/)
    expect(job.FailureReason).toContain('ValueError: the loss is not a number')
    expect(job.FailureReason!.length).toBeLessThanOrEqual(1024)
  })

  test('that is stopped may save, keeps what it has, and cannot be stopped twice', async () => {
    await create(aTrainingJob('stops-1', { steps: '1000' }))
    await jobWhen(stage, 'stops-1', job => job.SecondaryStatus === 'Training')
    const stop = () => stage.sagemaker().send(new StopTrainingJobCommand({ TrainingJobName: 'stops-1' }))
    await eventually('a step', async () => {
      const answer = await fetch(`${stage.url()}/local/training-jobs/stops-1/metrics`)
      return ((await answer.json()) as { points: unknown[] }).points.length > 0 || undefined
    })
    await stop()
    const job = await over('stops-1')
    expect(job).toMatchObject({ TrainingJobStatus: 'Stopped', SecondaryStatus: 'Stopped' })
    expect(statuses(job)).toContain('Stopping')
    expect((await resultOf('stops-1')).step).toBeGreaterThan(0)
    await expect(stop()).rejects.toMatchObject({ name: 'ValidationException' })
  })

  test('that does not listen is killed after the grace time', async () => {
    await create(aTrainingJob('stops-2', { steps: '1000', 'ignore-stop': 'yes' }))
    await eventually('a step', async () => {
      const log = await fetch(`${stage.url()}/local/training-jobs/stops-2/log`)
      return (await log.text()).includes('"step": 1') || undefined
    })
    const asked = Date.now()
    await stage.sagemaker().send(new StopTrainingJobCommand({ TrainingJobName: 'stops-2' }))
    expect((await over('stops-2')).TrainingJobStatus).toBe('Stopped')
    expect(Date.now() - asked).toBeGreaterThan(1900)
  })

  test('ends at its maximum run time', async () => {
    await create(aTrainingJob('long-1', { steps: '1000' }, { StoppingCondition: { MaxRuntimeInSeconds: 1 } }))
    const job = await over('long-1')
    expect(job).toMatchObject({ TrainingJobStatus: 'Stopped', SecondaryStatus: 'MaxRuntimeExceeded' })
    expect((await resultOf('long-1')).step).toBeGreaterThan(0)
  })

  test('waits while the machine is busy, and a spot job not longer than its maximum wait', async () => {
    await create(aTrainingJob('first-1', { steps: '60' }))
    await jobWhen(stage, 'first-1', job => job.SecondaryStatus === 'Training')
    await create(aTrainingJob('second-1', { steps: '1' }))
    const impatient = aSpotJob('impatient-1', 'impatient')
    await create({ ...impatient, StoppingCondition: { MaxRuntimeInSeconds: 1, MaxWaitTimeInSeconds: 1 } })
    expect(await describeJob('second-1')).toMatchObject({
      TrainingJobStatus: 'InProgress',
      SecondaryStatus: 'Pending',
    })
    expect(await over('impatient-1')).toMatchObject({
      TrainingJobStatus: 'Stopped',
      SecondaryStatus: 'MaxWaitTimeExceeded',
    })
    const first = await over('first-1')
    const second = await over('second-1')
    expect(second.TrainingJobStatus).toBe('Completed')
    expect(second.TrainingStartTime!.getTime()).toBeGreaterThanOrEqual(first.TrainingEndTime!.getTime())
    expect(statuses(second)).toEqual([
      'Starting',
      'Pending',
      'Starting',
      'Downloading',
      'Training',
      'Uploading',
      'Completed',
    ])
  })

  test('is listed by name, status and page', async () => {
    const list = (input: ListTrainingJobsCommandInput) =>
      stage.sagemaker().send(new ListTrainingJobsCommand(input))
    const failed = await list({ NameContains: 'fails', SortBy: 'Name', SortOrder: 'Descending' })
    expect(failed.TrainingJobSummaries!.map(job => job.TrainingJobName)).toEqual(['fails-2', 'fails-1'])
    const page = await list({ MaxResults: 2, SortBy: 'CreationTime' })
    const next = await list({ MaxResults: 2, SortBy: 'CreationTime', NextToken: page.NextToken! })
    expect(
      [...page.TrainingJobSummaries!, ...next.TrainingJobSummaries!].map(job => job.TrainingJobName),
    ).toEqual(['plain-1', 'packed-1', 'fails-1', 'fails-2'])
    expect((await list({ StatusEquals: 'Failed' })).TrainingJobSummaries).toHaveLength(2)
  })
})

describe('an injected fault', () => {
  test('interrupts a spot job at a step: it goes on from its checkpoint to the same result', async () => {
    await create(aSpotJob('whole-1', 'whole', { steps: '40' }))
    await over('whole-1')
    expect((await aFault({ kind: 'spot-interruption', job: 'spot-1', atStep: 12 })).status).toBe(200)
    await create(aSpotJob('spot-1', 'spot', { steps: '40' }))
    const job = await over('spot-1')
    expect(job.TrainingJobStatus).toBe('Completed')
    expect(statuses(job)).toEqual([
      'Starting',
      'Downloading',
      'Training',
      'Interrupted',
      'Starting',
      'Downloading',
      'Training',
      'Uploading',
      'Completed',
    ])
    const [whole, interrupted] = [await resultOf('whole-1'), await resultOf('spot-1')]
    expect(interrupted.value).toBe(whole.value)
    expect(whole.resumed_from).toEqual([])
    expect(interrupted.resumed_from).toHaveLength(1)
    expect(interrupted.resumed_from[0]).toBeGreaterThanOrEqual(12)
    expect(interrupted.resumed_from[0]).toBeLessThan(40)
  })

  test('takes the instance away without a notice: only what was synced is left', async () => {
    await aFault({ kind: 'spot-interruption', afterSeconds: 0.5, noticeSeconds: 0 })
    await create(aSpotJob('vanish-1', 'vanish', { steps: '40' }))
    const job = await over('vanish-1')
    expect(statuses(job)).toContain('Interrupted')
    expect((await resultOf('vanish-1')).value).toBe((await resultOf('whole-1')).value)
    expect(await (await fetch(`${stage.url()}/local/training-jobs/vanish-1/log`)).text()).not.toContain(
      'stop heard',
    )
  })

  test('leaves jobs alone that are not on spot capacity', async () => {
    await aFault({ kind: 'spot-interruption', atStep: 1 })
    await create(aTrainingJob('on-demand-1', { steps: '30' }))
    expect((await aFault({ kind: 'spot-interruption', job: 'on-demand-1', atStep: 1 })).status).toBe(400)
    expect(statuses(await over('on-demand-1'))).not.toContain('Interrupted')
    await fetch(`${stage.url()}/local/faults`, { method: 'DELETE' })
  })

  test('refuses so many creations for quota, and the name stays free', async () => {
    await aFault({ kind: 'resource-limit-exceeded', times: 2 })
    for (let refusals = 0; refusals < 2; refusals++) {
      const refused = await create(aTrainingJob('quota-1')).catch((error: unknown) => error)
      expect(refused).toBeInstanceOf(ResourceLimitExceeded)
      expect((refused as Error).message).toContain("'ml.g5.xlarge for training job usage' is 0 Instances")
    }
    await expect(describeJob('quota-1')).rejects.toMatchObject({ name: 'ValidationException' })
    await create(aTrainingJob('quota-1', { steps: '1' }))
    expect((await over('quota-1')).TrainingJobStatus).toBe('Completed')
  })

  test('fails a job for want of capacity as AWS does', async () => {
    await aFault({ kind: 'capacity-error' })
    await create(aTrainingJob('capacity-1'))
    expect(await describeJob('capacity-1')).toMatchObject({
      TrainingJobStatus: 'Failed',
      FailureReason: expect.stringMatching(/^CapacityError: /),
    })
  })

  test('that is none is refused', async () => {
    expect((await aFault({ kind: 'earthquake' })).status).toBe(400)
  })
})

describe('after a restart', () => {
  test('finished jobs are still described and a running one goes on from its checkpoint', async () => {
    await create(aSpotJob('restart-1', 'restart', { steps: '120' }))
    await create(aSpotJob('restart-2', 'restart-2', { steps: '1' }))
    await eventually('ten steps', async () => {
      const answer = await fetch(`${stage.url()}/local/training-jobs/restart-1/metrics`)
      return ((await answer.json()) as { points: unknown[] }).points.length >= 10 || undefined
    })
    await stage.restart()
    expect((await describeJob('plain-1')).TrainingJobStatus).toBe('Completed')
    const job = await over('restart-1')
    expect(job.TrainingJobStatus).toBe('Completed')
    expect(statuses(job)).toContain('Interrupted')
    expect((await resultOf('restart-1')).resumed_from).toHaveLength(1)
    expect((await over('restart-2')).TrainingJobStatus).toBe('Completed')
  }, 30_000)

  test('of a server that was killed nothing is left running, and its job goes on', async () => {
    const folder = join(stage.folder, 'killed')
    const port = await freePort()
    const options = {
      port,
      stateDir: join(folder, 'state'),
      logDir: join(folder, 'logs'),
      runDir: join(folder, 'run'),
      trainingVenv: TRAINING_VENV,
      python: PLAIN_PYTHON,
      s3Endpoint: stage.s3Endpoint,
      stopGraceSeconds: 2,
      checkpointSyncMs: 50,
    }
    const serverModule = resolve(import.meta.dirname, '../../local/sagemaker/sagemaker.ts')
    const script = `import { startSageMaker } from ${JSON.stringify(serverModule)}
      await startSageMaker(${JSON.stringify(options)})`
    const start = async () => {
      const child = spawn(process.execPath, ['--input-type=module', '-e', script], { stdio: 'inherit' })
      await eventually('the server', async () => {
        const answer = await fetch(`http://127.0.0.1:${port}/local/health`).catch(() => undefined)
        return answer?.ok || undefined
      })
      return child
    }
    const call = async (operation: string, input: unknown) => {
      const answer = await fetch(`http://127.0.0.1:${port}/`, {
        method: 'POST',
        headers: { 'x-amz-target': `SageMaker.${operation}` },
        body: JSON.stringify(input),
      })
      return (await answer.json()) as Record<string, unknown>
    }
    const first = await start()
    await call('CreateTrainingJob', aSpotJob('killed-1', 'killed', { steps: '200' }))
    await eventually('ten steps', async () => {
      const answer = await fetch(`http://127.0.0.1:${port}/local/training-jobs/killed-1/metrics`)
      return ((await answer.json()) as { points: unknown[] }).points.length >= 10 || undefined
    })
    const [record] = readdirSync(options.runDir)
    const { pid } = JSON.parse(readFileSync(join(options.runDir, record!), 'utf8')) as { pid: number }
    first.kill('SIGKILL')
    await eventually('the end of the orphan', () => {
      try {
        process.kill(pid, 0)
        return undefined
      } catch {
        return true
      }
    })
    await endLeftovers(options.runDir)

    const second = await start()
    try {
      const job = await eventually('the end of the job', async () => {
        const seen = await call('DescribeTrainingJob', { TrainingJobName: 'killed-1' })
        return seen.TrainingJobStatus === 'InProgress' ? undefined : seen
      })
      expect(job.TrainingJobStatus).toBe('Completed')
      expect((await resultOf('killed-1')).resumed_from).toHaveLength(1)
    } finally {
      second.kill('SIGKILL')
    }
  }, 40_000)
})
