import {
  DescribeInferenceComponentCommand,
  type SageMakerClient,
  UpdateInferenceComponentRuntimeConfigCommand,
} from '@aws-sdk/client-sagemaker'
import type { ModelCopies } from '../../domain/serving/ports.ts'

/** How many copies of a component run. The instances below follow, down to none. */
export function modelCopies(sagemaker: SageMakerClient): ModelCopies {
  return {
    async wanted(component) {
      try {
        const found = await sagemaker.send(
          new DescribeInferenceComponentCommand({ InferenceComponentName: component }),
        )
        if (found.InferenceComponentStatus !== 'InService') return null
        return found.RuntimeConfig?.DesiredCopyCount ?? null
      } catch (error) {
        // SageMaker has no own error for a component that is not there.
        if (error instanceof Error && /Could not find/.test(error.message)) return null
        throw error
      }
    },
    async setWanted(component, copies) {
      await sagemaker.send(
        new UpdateInferenceComponentRuntimeConfigCommand({
          InferenceComponentName: component,
          DesiredRuntimeConfig: { CopyCount: copies },
        }),
      )
    },
  }
}
