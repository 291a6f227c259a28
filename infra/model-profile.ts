import * as z from 'zod'
import { slug } from '../api/schemas/common.ts'

/** `{region}` is filled in at synth; the account in front is AWS's own registry for its framework images. */
const image = z
  .string()
  .regex(
    /^[a-z0-9{][a-z0-9._:/@{}-]{2,254}$/,
    'expected an image address like ACCOUNT.dkr.ecr.{region}.amazonaws.com/NAME:TAG',
  )
const instanceType = z
  .string()
  .regex(/^ml\.[a-z0-9-]+\.[a-z0-9]+$/, 'expected a SageMaker instance type like ml.g6.2xlarge')
/** SageMaker's own bounds on both start-up time-outs of an inference component. */
const startupSeconds = z.int().min(60).max(3_600)
/** SageMaker ends a training job after 28 days whatever is asked. */
const jobSeconds = z
  .int()
  .min(60)
  .max(28 * 86_400)

/**
 * How one size of model is trained and served: `config/model-profiles/<name>.json`. Hyperparameters are not
 * here but in the recipe, whose digest a proposal names.
 */
export const modelProfile = z
  .strictObject({
    $schema: z.string().optional(),
    name: slug,
    description: z.string().min(10).max(300),
    /** Runs as processes of one machine; its images are names of the local stand-in. */
    localOnly: z.boolean(),
    /** false: reasoned from data sheets and list prices, not yet run. */
    measured: z.boolean(),
    recipe: z.string().regex(/^training\/recipes\/[a-z0-9-]+\.json$/),
    /** Tokens of the longest training example and of a served context. */
    sequenceLength: z.int().min(128).max(131_072),
    precision: z.enum(['fp32', 'bf16']),
    gradientCheckpointing: z.boolean(),
    /** `second-adapter`: the reward model shares the frozen base with the policy, so that both fit one GPU. */
    rewardModel: z.enum(['separate', 'second-adapter']),
    /** `adapter-off`: the reference of the KL term is the policy with its adapter off; no second copy of the weights. */
    reference: z.enum(['separate', 'adapter-off']),
    training: z.strictObject({
      image,
      instanceType,
      instanceCount: z.int().min(1).max(16),
      volumeGb: z.int().min(1).max(16_384),
      maxRuntimeSeconds: jobSeconds,
      /** How long a spot job may wait and run in all. */
      maxWaitSeconds: jobSeconds,
      spot: z.boolean(),
      /** The container has no network at all; SageMaker itself moves channels and outputs. */
      networkIsolation: z.boolean(),
      vpc: z
        .strictObject({
          subnetIds: z
            .array(z.string().regex(/^subnet-[0-9a-f]+$/))
            .min(1)
            .max(16),
          securityGroupIds: z
            .array(z.string().regex(/^sg-[0-9a-f]+$/))
            .min(1)
            .max(5),
        })
        .nullable(),
      /** For estimates and budgets only; never part of a payout. On-demand price: spot is only ever cheaper. */
      usdMicroPerHour: z.int().min(0),
    }),
    serving: z.strictObject({
      image,
      instanceType,
      /** SageMaker's host image; newer CUDA containers need a newer driver than its default has. */
      inferenceAmiVersion: z.string().nullable(),
      environment: z.record(z.string(), z.string()),
      accelerators: z.int().min(0).max(8),
      cpus: z.number().min(0.25),
      memoryMb: z.int().min(128),
      maxCopies: z.int().min(1).max(100),
      /** After so long without a request the copies go to zero. */
      idleSeconds: z.int().min(60),
      modelDataDownloadTimeoutSeconds: startupSeconds,
      containerStartupTimeoutSeconds: startupSeconds,
      usdMicroPerHour: z.int().min(0),
    }),
  })
  .check(context => {
    const { training, gradientCheckpointing, precision } = context.value
    const refuse = (path: string[], message: string) =>
      context.issues.push({ code: 'custom', path, message, input: undefined })
    if (training.spot && training.maxWaitSeconds < training.maxRuntimeSeconds) {
      refuse(
        ['training', 'maxWaitSeconds'],
        'expected at least maxRuntimeSeconds: SageMaker refuses a spot job otherwise',
      )
    }
    if (precision === 'bf16' && !gradientCheckpointing) {
      refuse(
        ['gradientCheckpointing'],
        'expected true with bf16: the profile is for a GPU whose memory it has to fit',
      )
    }
  })
export type ModelProfile = z.infer<typeof modelProfile>
