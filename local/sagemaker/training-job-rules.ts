/**
 * What CreateTrainingJob refuses beyond the shapes of its members. Two kinds: rules of AWS, in its words
 * where they were found, and what this stand-in cannot do, which it says instead of ignoring it.
 */
import type { CreateTrainingJobRequest } from '@aws-sdk/client-sagemaker'
import { AwsError, validationException } from './aws-error.ts'
import { scriptModeOf } from './job-environment.ts'
import { compileMetrics } from './job-metrics.ts'
import { parseS3Uri } from './s3-folder.ts'

/** Instance families whose disks are local NVMe, encrypted by the hardware: AWS refuses a volume key there. */
const LOCAL_NVME = /^ml\.(g4dn|g5|g6|g6e|p4d|p4de|p5|p5e|p5en|trn1|trn1n|trn2)\./

/** Throws unless AWS would accept the request and this stand-in can run it. */
export function assertTrainingJob(request: CreateTrainingJobRequest): void {
  const {
    AlgorithmSpecification: algorithm,
    ResourceConfig: resources,
    StoppingCondition: stopping,
  } = request
  // Optional in the shapes only because serverless jobs leave them out.
  if (!algorithm) throw missing('algorithmSpecification')
  if (!resources) throw missing('resourceConfig')
  if (!stopping) throw missing('stoppingCondition')
  if (!resources.InstanceType) throw missing('resourceConfig.instanceType')
  if (!resources.InstanceCount || resources.InstanceCount < 1)
    throw validationException('InstanceCount must be greater than or equal to 1')
  if (!resources.VolumeSizeInGB || resources.VolumeSizeInGB < 1)
    throw validationException('VolumeSizeInGB must be greater than or equal to 1')
  if (resources.VolumeKmsKeyId && LOCAL_NVME.test(resources.InstanceType))
    throw validationException(
      `VolumeKmsKeyId is not supported for instance type ${resources.InstanceType}, which uses local NVMe storage`,
    )
  if (resources.InstanceCount > 1)
    throw limitExceeded(`${resources.InstanceType} for training job usage`, 1, resources.InstanceCount)

  assertSpot(request)
  assertChannels(request)
  for (const [what, uri] of [
    ['OutputDataConfig.S3OutputPath', request.OutputDataConfig?.S3OutputPath],
    ['CheckpointConfig.S3Uri', request.CheckpointConfig?.S3Uri],
  ] as const)
    if (uri !== undefined && !parseS3Uri(uri))
      throw validationException(`${what}: "${uri}" is not an s3:// location`)
  try {
    compileMetrics(algorithm.MetricDefinitions ?? [])
  } catch (error) {
    throw validationException(`Invalid MetricDefinitions: ${(error as Error).message}`)
  }

  if (request.ServerlessJobConfig) throw notHere('serverless training jobs')
  if (!algorithm.TrainingImage || algorithm.AlgorithmName) throw notHere('algorithms without a TrainingImage')
  if (algorithm.ContainerEntrypoint || algorithm.ContainerArguments)
    throw notHere('ContainerEntrypoint and ContainerArguments')
  if (algorithm.TrainingInputMode === 'Pipe') throw notHere('TrainingInputMode Pipe')
  if (resources.InstanceGroups) throw notHere('InstanceGroups')
  const script = scriptModeOf(request.HyperParameters ?? {})
  if (!script)
    throw notHere(
      'training without script mode (hyperparameters sagemaker_program and sagemaker_submit_directory)',
    )
  if (!parseS3Uri(script.submitDirectory))
    throw validationException(
      `sagemaker_submit_directory "${script.submitDirectory}" is not an s3:// location`,
    )
}

/** AWS's sentence for a quota, which tells it from a request that is wrong. */
export function limitExceeded(resource: string, limit: number, asked: number): AwsError {
  return new AwsError(
    'ResourceLimitExceeded',
    `The account-level service limit '${resource}' is ${limit} Instances, with current utilization of 0 Instances ` +
      `and a request delta of ${asked} Instances. Please use AWS Service Quotas to request an increase for this quota. ` +
      'If AWS Service Quotas is not available, contact AWS support to request an increase for this quota.',
  )
}

function assertSpot({
  EnableManagedSpotTraining: spot,
  StoppingCondition: stopping,
}: CreateTrainingJobRequest) {
  const maxWait = stopping?.MaxWaitTimeInSeconds
  if (spot && (maxWait === undefined || maxWait < (stopping?.MaxRuntimeInSeconds ?? DEFAULT_MAX_RUNTIME)))
    throw validationException(
      'Invalid MaxWaitTimeInSeconds. It must be present and be greater than or equal to MaxRuntimeInSeconds',
    )
  if (!spot && maxWait !== undefined)
    throw validationException(
      'MaxWaitTimeInSeconds must not be present when EnableManagedSpotTraining is not set to true',
    )
}

/** AWS's default MaxRuntimeInSeconds: one day. */
export const DEFAULT_MAX_RUNTIME = 86_400

function assertChannels(request: CreateTrainingJobRequest): void {
  const names = (request.InputDataConfig ?? []).map(channel => channel.ChannelName)
  if (new Set(names).size !== names.length)
    throw validationException('Duplicate channel names are not allowed in InputDataConfig')
  for (const channel of request.InputDataConfig ?? []) {
    const source = channel.DataSource?.S3DataSource
    if (!source) throw notHere(`channel ${channel.ChannelName} without an S3DataSource`)
    if (source.S3DataType !== 'S3Prefix')
      throw notHere(`channel ${channel.ChannelName} with S3DataType ${source.S3DataType}`)
    if (!parseS3Uri(source.S3Uri!))
      throw validationException(`InputDataConfig.S3Uri: "${source.S3Uri}" is not an s3:// location`)
    if (channel.CompressionType === 'Gzip')
      throw notHere(`channel ${channel.ChannelName} with CompressionType Gzip`)
    if (channel.RecordWrapperType === 'RecordIO')
      throw notHere(`channel ${channel.ChannelName} with RecordWrapperType RecordIO`)
    if (channel.InputMode === 'Pipe') throw notHere(`channel ${channel.ChannelName} with InputMode Pipe`)
  }
}

function missing(member: string): AwsError {
  return validationException(
    `1 validation error detected: Value null at '${member}' failed to satisfy constraint: Member must not be null`,
  )
}

function notHere(what: string): AwsError {
  return validationException(`The local SageMaker does not run ${what}`)
}
