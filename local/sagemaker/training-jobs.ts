/**
 * SageMaker's training jobs: what is accepted, in which order it runs on this one machine, what is said of it.
 *
 * On disk, below the state folder: `training-jobs/NAME.json` one record a job, `metrics/NAME.jsonl` its metric
 * points, `work/NAME/` the folders of the attempt that runs now (removed after it).
 */
import { appendFileSync, existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { ListObjectsV2Command } from '@aws-sdk/client-s3'
import type {
  CreateTrainingJobRequest,
  DescribeTrainingJobResponse,
  SecondaryStatus,
  TrainingJobStatus,
  TrainingJobSummary,
} from '@aws-sdk/client-sagemaker'
import { AwsError, validationException } from './aws-error.ts'
import type { Faults } from './faults.ts'
import { compileMetrics, type MetricPoint, pointsOf, stepOf } from './job-metrics.ts'
import { type ListRequest, listPage } from './list-page.ts'
import { openRecordFolder } from './record-folder.ts'
import { type AttemptEnd, type RunningAttempt, type StopReason, startAttempt } from './run-training-job.ts'
import { type Objects, parseS3Uri } from './s3-folder.ts'
import { described, summarized, type TrainingJobRecord } from './training-job-record.ts'
import { assertTrainingJob, DEFAULT_MAX_RUNTIME, limitExceeded } from './training-job-rules.ts'

/** The longest that a timer of Node can wait. */
const MAX_TIMER_MS = 2 ** 31 - 1
/** How long a stopping server lets scripts save before it kills them; the next start resumes them. */
const SHUTDOWN_GRACE_MS = 10_000

export type TrainingJobs = {
  create(request: CreateTrainingJobRequest): Promise<{ TrainingJobArn: string }>
  describe(name: string): DescribeTrainingJobResponse
  stop(name: string): void
  list(request: ListRequest & { StatusEquals?: TrainingJobStatus }): {
    TrainingJobSummaries: TrainingJobSummary[]
    NextToken?: string
  }
  exists(name: string): boolean
  isSpot(name: string): boolean
  metrics(name: string): MetricPoint[]
  logFile(name: string): string
  /** Ends what runs; unfinished jobs stay unfinished, for the next start to resume. */
  close(): Promise<void>
}

export type TrainingJobsSettings = {
  objects: Objects
  region: string
  stateDir: string
  logDir: string
  runDir: string
  python: string
  maxParallelJobs: number
  /** AWS's two minutes between SIGTERM and SIGKILL. */
  stopGraceMs: number
  checkpointSyncMs: number
  niceness: number
  faults: Faults
  arnOf: (kind: string, name: string) => string
}

/** Opens the jobs of `stateDir` and resumes those that were unfinished, as after a spot interruption. */
export function openTrainingJobs(settings: TrainingJobsSettings): TrainingJobs {
  const { faults, stateDir } = settings
  const records = openRecordFolder<TrainingJobRecord>(join(stateDir, 'training-jobs'))
  const metricsDir = join(stateDir, 'metrics')
  const workDir = join(stateDir, 'work')
  rmSync(workDir, { recursive: true, force: true }) // attempts of a server that was killed
  mkdirSync(metricsDir, { recursive: true })

  /** Names whose creation waits for S3: a second request must not slip in between. */
  const reserved = new Set<string>()
  const queue: TrainingJobRecord[] = []
  const running = new Map<string, { attempt: RunningAttempt; done: Promise<void> }>()
  const maxWaitTimers = new Map<string, NodeJS.Timeout>()
  let closing = false

  function save(job: TrainingJobRecord): void {
    job.modifiedAt = Date.now()
    records.put(job.name, job)
  }

  function enter(job: TrainingJobRecord, status: SecondaryStatus, message: string): void {
    const now = Date.now()
    const last = job.transitions.at(-1)
    if (last && last.endedAt === undefined) last.endedAt = now
    job.transitions.push({ status, message, startedAt: now })
    save(job)
  }

  function finish(
    job: TrainingJobRecord,
    status: 'Completed' | 'Failed' | 'Stopped',
    secondary: SecondaryStatus,
    message: string,
  ): void {
    clearTimeout(maxWaitTimers.get(job.name))
    maxWaitTimers.delete(job.name)
    job.status = status
    job.endedAt = Date.now()
    enter(job, secondary, message)
    job.transitions.at(-1)!.endedAt = job.endedAt
    save(job)
  }

  function enqueue(job: TrainingJobRecord, where: 'front' | 'back'): void {
    if (where === 'front') queue.unshift(job)
    else queue.push(job)
    pump()
    if (queue.includes(job) && job.transitions.at(-1)!.status !== 'Pending')
      enter(job, 'Pending', 'Waiting until the jobs before it leave the machine')
  }

  function pump(): void {
    while (!closing && running.size < settings.maxParallelJobs && queue.length > 0) start(queue.shift()!)
  }

  function start(job: TrainingJobRecord): void {
    const { name, request } = job
    if (job.transitions.at(-1)!.status !== 'Starting')
      enter(job, 'Starting', 'Preparing the instances for training')
    job.attempts++
    const beganAt = Date.now()
    job.startedAt ??= beganAt
    const metrics = compileMetrics(request.AlgorithmSpecification?.MetricDefinitions ?? [])
    let step: number | undefined
    let trainingSince = 0

    function interruptIfDue(): void {
      if (!request.EnableManagedSpotTraining || job.transitions.at(-1)!.status !== 'Training') return
      const due = faults.takeInterruption({
        job: name,
        trainingSeconds: (Date.now() - trainingSince) / 1000,
        step,
      })
      if (!due) return
      const noticeMs = due.noticeSeconds === undefined ? settings.stopGraceMs : due.noticeSeconds * 1000
      attempt.stop('interrupted', noticeMs)
    }

    const folder = join(workDir, name, String(job.attempts))
    const attempt = startAttempt(
      { ...settings, logFile: logFile(name) },
      { request, arn: job.arn, number: job.attempts, folder },
      {
        entered(status) {
          if (status === 'Training') trainingSince = Date.now()
          enter(job, status, MESSAGES[status])
        },
        line(line) {
          const points = pointsOf(line, metrics, Date.now(), job.attempts)
          if (points.length > 0 && existsSync(metricsDir))
            appendFileSync(metricsFile(name), points.map(point => `${JSON.stringify(point)}\n`).join(''))
          for (const point of points) job.finalMetrics[point.metric] = point
          const seen = stepOf(line)
          if (seen === undefined) return
          step = seen
          interruptIfDue()
        },
      },
    )
    const faultClock = setInterval(interruptIfDue, FAULT_POLL_MS)
    const maxRuntimeMs =
      (request.StoppingCondition?.MaxRuntimeInSeconds ?? DEFAULT_MAX_RUNTIME) * 1000 - job.billableMs
    const maxRuntime = setTimeout(
      () => attempt.stop('max-runtime', settings.stopGraceMs),
      Math.min(Math.max(maxRuntimeMs, 0), MAX_TIMER_MS),
    )
    const done = attempt.end.then(async end => {
      clearInterval(faultClock)
      clearTimeout(maxRuntime)
      job.billableMs += Date.now() - beganAt
      running.delete(name)
      settle(job, end)
      await rm(folder, { recursive: true, force: true }).catch(() => {})
      pump()
    })
    running.set(name, { attempt, done })
    save(job)
  }

  function settle(job: TrainingJobRecord, end: AttemptEnd): void {
    if (end.kind !== 'failed' && end.modelArtifacts) job.modelArtifacts = end.modelArtifacts
    if (end.kind === 'failed') job.failureReason = end.reason
    // A stop that came during an interruption is still wanted.
    const why = end.kind !== 'stopped' ? end.kind : job.status === 'Stopping' ? 'stopped' : end.why
    switch (why) {
      case 'completed':
        finish(job, 'Completed', 'Completed', 'Training job completed')
        break
      case 'failed':
        finish(job, 'Failed', 'Failed', 'Training job failed')
        break
      case 'stopped':
        finish(job, 'Stopped', 'Stopped', 'Training job stopped')
        break
      case 'max-runtime':
        finish(job, 'Stopped', 'MaxRuntimeExceeded', MESSAGES.maxRuntime)
        break
      case 'max-wait':
        finish(job, 'Stopped', 'MaxWaitTimeExceeded', MESSAGES.maxWait)
        break
      case 'interrupted':
        enter(job, 'Interrupted', MESSAGES.interrupted)
        enqueue(job, 'front')
        break
      case 'shutdown':
        save(job)
    }
  }

  /** Ends a job that does not run now, or asks the one that runs. */
  function stopJob(job: TrainingJobRecord, why: StopReason): void {
    const active = running.get(job.name)
    if (active) {
      active.attempt.stop(why, settings.stopGraceMs)
      return
    }
    const at = queue.indexOf(job)
    if (at >= 0) queue.splice(at, 1)
    settle(job, { kind: 'stopped', why })
  }

  function watchMaxWait(job: TrainingJobRecord): void {
    const maxWait = job.request.StoppingCondition?.MaxWaitTimeInSeconds
    if (maxWait === undefined) return
    const timer = setTimeout(() => stopJob(job, 'max-wait'), Math.min(maxWait * 1000, MAX_TIMER_MS))
    timer.unref()
    maxWaitTimers.set(job.name, timer)
  }

  function find(name: string): TrainingJobRecord {
    const job = records.get(name)
    if (!job) throw validationException('Requested resource not found.')
    return job
  }

  async function assertChannelsHoldSomething(request: CreateTrainingJobRequest): Promise<void> {
    for (const channel of request.InputDataConfig ?? []) {
      const uri = channel.DataSource!.S3DataSource!.S3Uri!
      const { bucket, key } = parseS3Uri(uri)!
      const found = await settings.objects.s3
        .send(new ListObjectsV2Command({ Bucket: bucket, Prefix: key, MaxKeys: 1 }))
        .then(page => (page.KeyCount ?? page.Contents?.length ?? 0) > 0)
        .catch(error => {
          if ((error as Error).name === 'NoSuchBucket') return false
          throw error
        })
      if (!found)
        throw validationException(
          `No S3 objects found under S3 URL "${uri}" given in input data source. Please ensure that the bucket ` +
            `exists in the selected region (${settings.region}), that objects exist under that S3 prefix, and that ` +
            `the role "${request.RoleArn}" has "s3:ListBucket" permissions on bucket "${bucket}".`,
        )
    }
  }

  function logFile(name: string): string {
    return join(settings.logDir, 'training-jobs', `${name}.log`)
  }

  function metricsFile(name: string): string {
    return join(metricsDir, `${name}.jsonl`)
  }

  for (const job of records.all().sort((a, b) => a.createdAt - b.createdAt)) {
    if (job.status === 'Stopping') finish(job, 'Stopped', 'Stopped', 'Training job stopped')
    if (job.status !== 'InProgress') continue
    // Waiting is counted anew: a laptop that slept for a night has not waited for capacity.
    watchMaxWait(job)
    if (job.attempts > 0) enter(job, 'Interrupted', MESSAGES.interrupted)
    enqueue(job, 'back')
  }

  return {
    async create(request) {
      assertTrainingJob(request)
      const name = request.TrainingJobName!
      const arn = settings.arnOf('training-job', name)
      // Finished jobs keep their name for ever.
      if (records.get(name) || reserved.has(name))
        throw new AwsError(
          'ResourceInUse',
          `Job name must be unique within an AWS account and region, and a job with this name already exists (${arn})`,
        )
      reserved.add(name)
      try {
        await assertChannelsHoldSomething(request)
        const fault = faults.takeCreation()
        if (fault === 'resource-limit-exceeded') {
          const { InstanceType, InstanceCount } = request.ResourceConfig!
          const usage = request.EnableManagedSpotTraining ? 'spot training job usage' : 'training job usage'
          throw limitExceeded(`${InstanceType} for ${usage}`, 0, InstanceCount!)
        }
        const now = Date.now()
        const job: TrainingJobRecord = {
          name,
          arn,
          request,
          status: 'InProgress',
          transitions: [],
          createdAt: now,
          modifiedAt: now,
          attempts: 0,
          billableMs: 0,
          finalMetrics: {},
        }
        enter(job, 'Starting', 'Starting the training job')
        if (fault === 'capacity-error') {
          // AWS accepts the job and fails it when no instance is to be had.
          job.failureReason = MESSAGES.capacityError
          finish(job, 'Failed', 'Failed', MESSAGES.capacityError)
        } else {
          watchMaxWait(job)
          enqueue(job, 'back')
        }
        return { TrainingJobArn: arn }
      } finally {
        reserved.delete(name)
      }
    },
    describe: name => described(find(name)),
    stop(name) {
      const job = find(name)
      if (job.status !== 'InProgress' && job.status !== 'Stopping')
        throw validationException(
          `The request was rejected because the training job is in status ${job.status}.`,
        )
      if (job.status === 'Stopping') return
      job.status = 'Stopping'
      enter(job, 'Stopping', 'Stopping the training job')
      stopJob(job, 'stopped')
    },
    list(request) {
      const wanted = records
        .all()
        .filter(job => request.StatusEquals === undefined || job.status === request.StatusEquals)
      const { page, ...next } = listPage(wanted, request, 'Ascending')
      return { TrainingJobSummaries: page.map(summarized), ...next }
    },
    exists: name => records.get(name) !== undefined,
    isSpot: name => records.get(name)?.request.EnableManagedSpotTraining === true,
    metrics(name) {
      find(name)
      if (!existsSync(metricsFile(name))) return []
      return readFileSync(metricsFile(name), 'utf8')
        .split('\n')
        .filter(line => line !== '')
        .map(line => JSON.parse(line) as MetricPoint)
    },
    logFile(name) {
      find(name)
      return logFile(name)
    },
    async close() {
      closing = true
      for (const timer of maxWaitTimers.values()) clearTimeout(timer)
      const all = [...running.values()]
      for (const { attempt } of all)
        attempt.stop('shutdown', Math.min(SHUTDOWN_GRACE_MS, settings.stopGraceMs))
      await Promise.all(all.map(({ done }) => done))
    },
  }
}

/** How often it is looked whether an interruption after some seconds is due. */
const FAULT_POLL_MS = 100

const MESSAGES = {
  Downloading: 'Downloading input data',
  Training: 'Training image download completed. Training in progress.',
  Uploading: 'Uploading generated training model',
  interrupted: 'Training job interrupted, waiting for capacity to resume from its checkpoint',
  maxRuntime: 'Training job runtime exceeded MaxRuntimeInSeconds provided',
  maxWait: 'Training job waited longer than MaxWaitTimeInSeconds provided',
  capacityError:
    'CapacityError: Unable to provision requested ML compute capacity. Please retry using a different ML instance type.',
}
