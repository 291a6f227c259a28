/**
 * What hosting refuses beyond the shapes of its requests: rules of AWS, in its words where they were found, and
 * what `transformers serve` cannot stand for.
 */
import type {
  ContainerDefinition,
  CreateEndpointConfigInput,
  InferenceComponentSpecification,
  ProductionVariant,
} from '@aws-sdk/client-sagemaker'
import { type AwsError, validationException } from './aws-error.ts'
import type { ModelSource } from './model-server.ts'
import { parseS3Uri } from './s3-folder.ts'

/** What a container definition of whatever kind comes down to here. */
export type Served = { source: ModelSource; environment: Record<string, string> }

/** The weights and settings of a container; refuses what `transformers serve` cannot stand for. */
export function servedByContainer(container: ContainerDefinition): Served {
  const environment = container.Environment ?? {}
  const source = container.ModelDataSource?.S3DataSource
  if (source) {
    const { S3Uri: s3Uri, S3DataType: dataType, CompressionType: compression } = source
    if (!parseS3Uri(s3Uri!)) throw validationException(`ModelDataSource: "${s3Uri}" is not an s3:// location`)
    if (dataType === 'S3Prefix' && compression === 'None') {
      if (!s3Uri!.endsWith('/'))
        throw validationException(
          `ModelDataSource: S3Uri "${s3Uri}" of an S3Prefix must end with a slash (/)`,
        )
      return { environment, source: { s3Uri: s3Uri!, kind: 'prefix' } }
    }
    if (dataType === 'S3Object' && compression === 'Gzip')
      return { environment, source: { s3Uri: s3Uri!, kind: 'archive' } }
    throw notHere(`a model of S3DataType ${dataType} with CompressionType ${compression}`)
  }
  if (container.ModelDataUrl) {
    if (!parseS3Uri(container.ModelDataUrl))
      throw validationException(`ModelDataUrl: "${container.ModelDataUrl}" is not an s3:// location`)
    return { environment, source: { s3Uri: container.ModelDataUrl, kind: 'archive' } }
  }
  throw notHere('a model without weights in S3')
}

/** `findModel` throws for a model that there is not. */
export function assertVariant(
  variant: ProductionVariant,
  request: CreateEndpointConfigInput,
  findModel: (name: string) => unknown,
): void {
  if (variant.ServerlessConfig) throw notHere('serverless inference')
  if (!variant.InstanceType) throw validationException('InstanceType is required for a production variant')
  if (variant.ModelName) {
    findModel(variant.ModelName)
    if (variant.ManagedInstanceScaling)
      throw validationException('ManagedInstanceScaling is only supported for inference component endpoints.')
  } else if (!request.ExecutionRoleArn)
    throw validationException('ExecutionRoleArn is required for an endpoint that hosts inference components')
  if (variant.InitialInstanceCount === undefined)
    throw validationException('InitialInstanceCount is required for a production variant')
}

/** The specification of a component that is no adapter. */
export function assertSpecification(
  specification: InferenceComponentSpecification | undefined,
): InferenceComponentSpecification {
  if (!specification) throw validationException('Specification is required')
  if (specification.BaseInferenceComponentName) throw notHere('adapter inference components')
  if (!specification.ModelName && !specification.Container)
    throw validationException('One of ModelName and Container is required in Specification')
  if (!specification.ComputeResourceRequirements)
    throw validationException('ComputeResourceRequirements is required in Specification')
  return specification
}

/** For what would run on AWS but not here. */
export function notHere(what: string): AwsError {
  return validationException(`The local SageMaker does not host ${what}`)
}
