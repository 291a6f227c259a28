import { OpenLedgerError } from '../errors.ts'
import { jobSettings, type Recipe } from './recipe.ts'

/** The part of a model profile that a training job needs; amounts in the units of their names. */
export type JobProfile = {
  readonly name: string
  readonly training: {
    readonly image: string
    readonly instanceType: string
    readonly instanceCount: number
    readonly volumeGb: number
    readonly maxRuntimeSeconds: number
    readonly maxWaitSeconds: number
    readonly spot: boolean
    readonly networkIsolation: boolean
    readonly vpc: {
      readonly subnetIds: readonly string[]
      readonly securityGroupIds: readonly string[]
    } | null
    readonly usdMicroPerHour: number
  }
}

/**
 * A job as `sagemaker:createTrainingJob.sync` takes it. The machine adds name and role: the name carries the
 * number of the try, because SageMaker never takes a name twice.
 */
export type PlannedJob = {
  readonly name: string
  readonly outputPath: string
  readonly checkpointUri: string
  readonly request: {
    readonly AlgorithmSpecification: {
      readonly TrainingImage: string
      readonly TrainingInputMode: 'File'
      readonly MetricDefinitions: readonly { readonly Name: string; readonly Regex: string }[]
    }
    readonly HyperParameters: Readonly<Record<string, string>>
    readonly InputDataConfig: readonly Channel[]
    readonly OutputDataConfig: { readonly S3OutputPath: string; readonly CompressionType: 'NONE' }
    readonly CheckpointConfig?: { readonly S3Uri: string }
    readonly ResourceConfig: {
      readonly InstanceType: string
      readonly InstanceCount: number
      readonly VolumeSizeInGB: number
    }
    readonly StoppingCondition: {
      readonly MaxRuntimeInSeconds: number
      readonly MaxWaitTimeInSeconds?: number
    }
    readonly EnableManagedSpotTraining: boolean
    readonly EnableNetworkIsolation: boolean
    readonly VpcConfig?: { readonly Subnets: readonly string[]; readonly SecurityGroupIds: readonly string[] }
    readonly Tags: readonly { readonly Key: string; readonly Value: string }[]
  }
}
export type Channel = {
  readonly ChannelName: string
  readonly DataSource: {
    readonly S3DataSource: {
      readonly S3DataType: 'S3Prefix'
      readonly S3Uri: string
      readonly S3DataDistributionType: 'FullyReplicated'
    }
  }
  readonly CompressionType: 'None'
  readonly InputMode: 'File'
}

/** What CloudWatch picks from the JSON lines that a job prints, one a logged step. */
const METRICS = [
  { Name: 'loss', Regex: '"loss": ?([0-9.eE+-]+)' },
  { Name: 'step', Regex: '"step": ?([0-9]+)' },
  { Name: 'tokens_per_second', Regex: '"tokens_per_second": ?([0-9.eE+-]+)' },
] as const

/** The others ask a model and are quick to ask again, so they keep no checkpoints. */
const TRAINS: ReadonlySet<string> = new Set(['finetune', 'reward_model', 'align'])

/**
 * Plans one job of a recipe. Everything comes from the artifact and data buckets; nothing is downloaded inside
 * the job. The checkpoint key is the hash of dataset root, recipe, code and parent: a checkpoint of anything
 * else refuses to resume.
 */
export function planJob(job: {
  readonly stage: string
  readonly name: string
  readonly program: 'finetune' | 'evaluate' | 'generate' | 'reward_model' | 'align' | 'usefulness'
  readonly settings: string
  readonly recipe: Recipe
  readonly profile: JobProfile
  readonly artifactsBucket: string
  readonly runId: string
  readonly channels: Readonly<Record<string, string>>
  readonly checkpointKey: string
  readonly extra?: Readonly<Record<string, string>>
}): PlannedJob {
  const { training } = job.profile
  const bucket = `s3://${job.artifactsBucket}`
  const wheels: Record<string, string> =
    job.recipe.wheels === null ? {} : { wheels: `${bucket}/wheels/${job.recipe.wheels}/` }
  const outputPath = `${bucket}/runs/${job.runId}`
  const trains = TRAINS.has(job.program)
  const checkpointUri = `${bucket}/checkpoints/${job.checkpointKey}/${job.settings}`
  return {
    name: job.name,
    outputPath,
    checkpointUri,
    request: {
      AlgorithmSpecification: {
        TrainingImage: training.image,
        TrainingInputMode: 'File',
        MetricDefinitions: METRICS,
      },
      HyperParameters: {
        ...jobSettings(job.recipe, job.settings),
        ...job.extra,
        ...(trains ? { 'checkpoint-key': job.checkpointKey } : {}),
        sagemaker_program: `${job.program}.py`,
        sagemaker_submit_directory: `${bucket}/code/${job.recipe.code}.tar.gz`,
      },
      InputDataConfig: Object.entries({ ...job.channels, ...wheels }).map(([name, uri]) =>
        channel(name, uri),
      ),
      OutputDataConfig: { S3OutputPath: outputPath, CompressionType: 'NONE' },
      ...(trains ? { CheckpointConfig: { S3Uri: checkpointUri } } : {}),
      ResourceConfig: {
        InstanceType: training.instanceType,
        InstanceCount: training.instanceCount,
        VolumeSizeInGB: training.volumeGb,
      },
      StoppingCondition: {
        MaxRuntimeInSeconds: training.maxRuntimeSeconds,
        ...(training.spot ? { MaxWaitTimeInSeconds: training.maxWaitSeconds } : {}),
      },
      EnableManagedSpotTraining: training.spot,
      EnableNetworkIsolation: training.networkIsolation,
      ...(training.vpc === null
        ? {}
        : {
            VpcConfig: { Subnets: training.vpc.subnetIds, SecurityGroupIds: training.vpc.securityGroupIds },
          }),
      Tags: [
        { Key: 'openledger:stage', Value: job.stage },
        { Key: 'openledger:run', Value: job.runId.slice(0, 256) },
      ],
    },
  }
}

function channel(name: string, uri: string): Channel {
  return {
    ChannelName: name,
    DataSource: {
      S3DataSource: { S3DataType: 'S3Prefix', S3Uri: uri, S3DataDistributionType: 'FullyReplicated' },
    },
    CompressionType: 'None',
    InputMode: 'File',
  }
}

/** The most that the jobs can cost: on-demand price for the longest run that they may take. */
export function worstCaseCostUsdMicro(profile: JobProfile, jobs: number): number {
  const { usdMicroPerHour, maxRuntimeSeconds, instanceCount } = profile.training
  return Math.ceil((usdMicroPerHour * maxRuntimeSeconds * instanceCount * jobs) / 3_600)
}

/** @throws OpenLedgerError budget-exceeded */
export function requireBudget(costUsdMicro: number, budgetUsdMicro: number): void {
  if (costUsdMicro > budgetUsdMicro) {
    throw new OpenLedgerError('budget-exceeded', 'The run may cost more than was voted', {
      expected: `at most ${budgetUsdMicro} millionths of a dollar`,
      seen: `up to ${costUsdMicro}`,
    })
  }
}
