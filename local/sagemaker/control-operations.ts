/** The table of control-plane operations: which room answers, and where tags come in. */
import type { Tag } from '@aws-sdk/client-sagemaker'
import { validationException } from './aws-error.ts'
import type { Hosting } from './hosting.ts'
import type { Tags } from './tags.ts'
import type { TrainingJobs } from './training-jobs.ts'

/** Checked input in, output with instants as Dates out; undefined is an empty answer. */
export type Operation = (input: never) => unknown

/** Every operation of SageMaker's control plane that this server answers, by its name. */
export function controlOperations(rooms: {
  jobs: TrainingJobs
  hosting: Hosting
  tags: Tags
}): Record<string, Operation> {
  const { jobs, hosting, tags } = rooms
  /** Creates, then keeps the tags under the ARN in the answer. */
  const tagged =
    <Input extends { Tags?: Tag[] | undefined }, Output extends Record<string, string>>(
      create: (input: Input) => Output | Promise<Output>,
    ) =>
    async (input: Input) => {
      const output = await create(input)
      if (input.Tags?.length) tags.add(Object.values(output)[0]!, input.Tags)
      return output
    }
  /** Deletes by name, then forgets the tags. */
  const untagged =
    <Input>(arn: (input: Input) => string | undefined, remove: (input: Input) => void) =>
    (input: Input) => {
      const tagsArn = arn(input)
      remove(input)
      if (tagsArn) tags.forget(tagsArn)
    }
  const taggable = (arn: string) => {
    const [, kind, name] = /^arn:[^:]+:sagemaker:[^:]*:[^:]*:([^/]+)\/(.+)$/.exec(arn) ?? []
    if (!kind || !name || !(kind === 'training-job' ? jobs.exists(name) : hosting.exists(kind, name)))
      throw validationException(`Could not find the resource "${arn}".`)
    return arn
  }
  return {
    CreateTrainingJob: tagged(jobs.create),
    DescribeTrainingJob: (input: { TrainingJobName: string }) => jobs.describe(input.TrainingJobName),
    StopTrainingJob: (input: { TrainingJobName: string }) => jobs.stop(input.TrainingJobName),
    ListTrainingJobs: jobs.list,

    CreateModel: tagged(hosting.createModel),
    DescribeModel: (input: { ModelName: string }) => hosting.describeModel(input.ModelName),
    DeleteModel: untagged(
      (input: { ModelName: string }) => hosting.describeModel(input.ModelName).ModelArn,
      input => hosting.deleteModel(input.ModelName),
    ),
    ListModels: hosting.listModels,

    CreateEndpointConfig: tagged(hosting.createEndpointConfig),
    DescribeEndpointConfig: (input: { EndpointConfigName: string }) =>
      hosting.describeEndpointConfig(input.EndpointConfigName),
    DeleteEndpointConfig: untagged(
      (input: { EndpointConfigName: string }) =>
        hosting.describeEndpointConfig(input.EndpointConfigName).EndpointConfigArn,
      input => hosting.deleteEndpointConfig(input.EndpointConfigName),
    ),
    ListEndpointConfigs: hosting.listEndpointConfigs,

    CreateEndpoint: tagged(hosting.createEndpoint),
    DescribeEndpoint: (input: { EndpointName: string }) => hosting.describeEndpoint(input.EndpointName),
    UpdateEndpoint: hosting.updateEndpoint,
    DeleteEndpoint: untagged(
      (input: { EndpointName: string }) => hosting.describeEndpoint(input.EndpointName).EndpointArn,
      input => hosting.deleteEndpoint(input.EndpointName),
    ),
    ListEndpoints: hosting.listEndpoints,

    CreateInferenceComponent: tagged(hosting.createInferenceComponent),
    DescribeInferenceComponent: (input: { InferenceComponentName: string }) =>
      hosting.describeInferenceComponent(input.InferenceComponentName),
    UpdateInferenceComponent: hosting.updateInferenceComponent,
    UpdateInferenceComponentRuntimeConfig: (input: {
      InferenceComponentName: string
      DesiredRuntimeConfig: { CopyCount: number }
    }) =>
      hosting.updateInferenceComponent({
        InferenceComponentName: input.InferenceComponentName,
        RuntimeConfig: input.DesiredRuntimeConfig,
      }),
    DeleteInferenceComponent: untagged(
      (input: { InferenceComponentName: string }) =>
        hosting.describeInferenceComponent(input.InferenceComponentName).InferenceComponentArn,
      input => hosting.deleteInferenceComponent(input.InferenceComponentName),
    ),
    ListInferenceComponents: hosting.listInferenceComponents,

    AddTags: (input: { ResourceArn: string; Tags: Tag[] }) => ({
      Tags: tags.add(taggable(input.ResourceArn), input.Tags),
    }),
    ListTags: (input: { ResourceArn: string }) => ({ Tags: tags.of(taggable(input.ResourceArn)) }),
    DeleteTags: (input: { ResourceArn: string; TagKeys: string[] }) => {
      tags.remove(taggable(input.ResourceArn), input.TagKeys)
      return {}
    },
  }
}
