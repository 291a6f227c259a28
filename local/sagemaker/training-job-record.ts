/** What is kept of a training job, and how AWS shows it. */
import type {
  CreateTrainingJobRequest,
  DescribeTrainingJobResponse,
  SecondaryStatus,
  TrainingJobStatus,
  TrainingJobSummary,
} from '@aws-sdk/client-sagemaker'
import type { MetricPoint } from './job-metrics.ts'

type Transition = { status: SecondaryStatus; message: string; startedAt: number; endedAt?: number }

/** Instants are epoch milliseconds. */
export type TrainingJobRecord = {
  name: string
  arn: string
  request: CreateTrainingJobRequest
  status: TrainingJobStatus
  transitions: Transition[]
  createdAt: number
  modifiedAt: number
  /** When the first attempt got the machine, and when the last one left it. */
  startedAt?: number
  endedAt?: number
  /** Attempts so far, and the time that they held the machine. */
  attempts: number
  billableMs: number
  failureReason?: string
  modelArtifacts?: string
  finalMetrics: Record<string, MetricPoint>
}

/** The answer of DescribeTrainingJob. */
export function described(job: TrainingJobRecord): DescribeTrainingJobResponse {
  const { Tags: _tags, ...request } = job.request
  const last = job.transitions.at(-1)!
  return {
    ...request,
    TrainingJobName: job.name,
    TrainingJobArn: job.arn,
    TrainingJobStatus: job.status,
    SecondaryStatus: last.status,
    SecondaryStatusTransitions: job.transitions.map(transition => ({
      Status: transition.status,
      StartTime: new Date(transition.startedAt),
      ...(transition.endedAt === undefined ? {} : { EndTime: new Date(transition.endedAt) }),
      StatusMessage: transition.message,
    })),
    StoppingCondition: job.request.StoppingCondition,
    ModelArtifacts: job.modelArtifacts === undefined ? undefined : { S3ModelArtifacts: job.modelArtifacts },
    CreationTime: new Date(job.createdAt),
    LastModifiedTime: new Date(job.modifiedAt),
    EnableManagedSpotTraining: job.request.EnableManagedSpotTraining ?? false,
    EnableNetworkIsolation: job.request.EnableNetworkIsolation ?? false,
    EnableInterContainerTrafficEncryption: job.request.EnableInterContainerTrafficEncryption ?? false,
    ...(job.startedAt === undefined ? {} : { TrainingStartTime: new Date(job.startedAt) }),
    ...(job.endedAt === undefined ? {} : { TrainingEndTime: new Date(job.endedAt) }),
    ...(job.startedAt === undefined || job.endedAt === undefined
      ? {}
      : {
          // Between two attempts a spot job holds no instance: that time is training time but not billed.
          TrainingTimeInSeconds: Math.ceil((job.endedAt - job.startedAt) / 1000),
          BillableTimeInSeconds: Math.ceil(job.billableMs / 1000),
        }),
    ...(job.failureReason === undefined ? {} : { FailureReason: job.failureReason }),
    ...(Object.keys(job.finalMetrics).length === 0
      ? {}
      : {
          FinalMetricDataList: Object.values(job.finalMetrics).map(point => ({
            MetricName: point.metric,
            Value: point.value,
            Timestamp: new Date(point.at),
          })),
        }),
  }
}

/** One line of ListTrainingJobs. */
export function summarized(job: TrainingJobRecord): TrainingJobSummary {
  return {
    TrainingJobName: job.name,
    TrainingJobArn: job.arn,
    CreationTime: new Date(job.createdAt),
    LastModifiedTime: new Date(job.modifiedAt),
    TrainingJobStatus: job.status,
    SecondaryStatus: job.transitions.at(-1)!.status,
    ...(job.endedAt === undefined ? {} : { TrainingEndTime: new Date(job.endedAt) }),
  }
}
