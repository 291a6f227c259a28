import { OpenLedgerError } from '../errors.ts'
import type { Bytes32 } from '../protocol/hex.ts'
import { documentId, resourceName } from '../protocol/ids.ts'

/** The part of a model profile that hosting needs. */
export type ServingProfile = {
  readonly name: string
  readonly serving: {
    readonly image: string
    readonly instanceType: string
    readonly inferenceAmiVersion: string | null
    readonly environment: Readonly<Record<string, string>>
    readonly accelerators: number
    readonly cpus: number
    readonly memoryMb: number
    readonly maxCopies: number
    readonly idleSeconds: number
    readonly modelDataDownloadTimeoutSeconds: number
    readonly containerStartupTimeoutSeconds: number
  }
}

export const VARIANT = 'main'

type Tag = { readonly Key: string; readonly Value: string }
/** The requests of SageMaker's hosting as the machine sends them; it adds the role. */
export type ReleasePlan = {
  readonly model: Readonly<Record<string, unknown>> & { readonly ModelName: string }
  readonly endpointConfig: Readonly<Record<string, unknown>> & { readonly EndpointConfigName: string }
  readonly endpoint: Readonly<Record<string, unknown>> & { readonly EndpointName: string }
  readonly component: Readonly<Record<string, unknown>> & { readonly InferenceComponentName: string }
}

/**
 * Plans how a version is hosted. Model, configuration and endpoint are named for what is in them, so that a
 * repeated release finds its own and a changed profile makes new ones; the component belongs to the run. The
 * endpoint is the Datanet's: its instances go when no component wants a copy.
 */
export function planRelease(input: {
  stage: string
  artifactsBucket: string
  profile: ServingProfile
  datanetId: Bytes32
  versionId: Bytes32
  weightsKey: string
  runId: Bytes32
  attempt: number
}): ReleasePlan {
  const { stage, profile, datanetId, versionId, weightsKey, runId, attempt } = input
  const { serving } = profile
  if (!weightsKey.endsWith('/')) {
    throw new OpenLedgerError('malformed', 'The weights of a version are a prefix', {
      expected: 'a key ending in /',
      seen: weightsKey,
    })
  }
  const Tags: Tag[] = [
    { Key: 'openledger:stage', Value: stage },
    { Key: 'openledger:datanet', Value: datanetId },
    { Key: 'openledger:version', Value: versionId },
    { Key: 'openledger:run', Value: runId },
  ]
  const container = {
    Image: serving.image,
    Environment: serving.environment,
    ModelDataSource: {
      S3DataSource: {
        S3Uri: `s3://${input.artifactsBucket}/${weightsKey}`,
        S3DataType: 'S3Prefix',
        CompressionType: 'None',
      },
    },
  }
  const variant = {
    VariantName: VARIANT,
    InstanceType: serving.instanceType,
    InitialInstanceCount: 1,
    ManagedInstanceScaling: { Status: 'ENABLED', MinInstanceCount: 0, MaxInstanceCount: serving.maxCopies },
    RoutingConfig: { RoutingStrategy: 'LEAST_OUTSTANDING_REQUESTS' },
    ModelDataDownloadTimeoutInSeconds: serving.modelDataDownloadTimeoutSeconds,
    ContainerStartupHealthCheckTimeoutInSeconds: serving.containerStartupTimeoutSeconds,
    ...(serving.inferenceAmiVersion === null ? {} : { InferenceAmiVersion: serving.inferenceAmiVersion }),
  }
  const modelName = resourceName(stage, 'model', documentId({ versionId, container }), 1)
  const configName = resourceName(stage, 'hosting', documentId({ datanetId, variant }), 1)
  const shared = Tags.slice(0, 2)
  return {
    model: { ModelName: modelName, PrimaryContainer: container, Tags },
    endpointConfig: { EndpointConfigName: configName, ProductionVariants: [variant], Tags: shared },
    endpoint: { EndpointName: configName, EndpointConfigName: configName, Tags: shared },
    component: {
      InferenceComponentName: resourceName(stage, 'version', runId, attempt),
      EndpointName: configName,
      VariantName: VARIANT,
      Specification: {
        ModelName: modelName,
        StartupParameters: {
          ModelDataDownloadTimeoutInSeconds: serving.modelDataDownloadTimeoutSeconds,
          ContainerStartupHealthCheckTimeoutInSeconds: serving.containerStartupTimeoutSeconds,
        },
        ComputeResourceRequirements: {
          ...(serving.accelerators === 0 ? {} : { NumberOfAcceleratorDevicesRequired: serving.accelerators }),
          NumberOfCpuCoresRequired: serving.cpus,
          MinMemoryRequiredInMb: serving.memoryMb,
        },
      },
      RuntimeConfig: { CopyCount: 1 },
      Tags,
    },
  }
}
