import type { Files } from './files.ts'

export type ProgressPoint = {
  step: number
  maxSteps: number | null
  loss: number
  reward: number | null
  tokensPerSecond: number | null
}

/**
 * What a running job has logged so far: it appends to `progress.jsonl` beside its checkpoints, which SageMaker
 * copies to S3 while the job runs, so that the page and an admin see the same on AWS and on one machine.
 */
export async function trainingProgress(
  artifacts: Files,
  checkpointUri: string | null,
): Promise<ProgressPoint[]> {
  if (checkpointUri === null) return []
  const bytes = await artifacts.get(`${checkpointUri.replace(/^s3:\/\/[^/]+\//, '')}/progress.jsonl`)
  if (bytes === null) return []
  return new TextDecoder()
    .decode(bytes)
    .split('\n')
    .flatMap(line => {
      try {
        const { step, loss, reward, max_steps, tokens_per_second } = JSON.parse(line) as Record<
          string,
          unknown
        >
        if (typeof step !== 'number' || typeof loss !== 'number') return []
        return [
          {
            step,
            maxSteps: numberOrNull(max_steps),
            loss,
            reward: numberOrNull(reward),
            tokensPerSecond: numberOrNull(tokens_per_second),
          },
        ]
      } catch {
        // The last line may be cut while the job writes it; the next read has it whole.
        return []
      }
    })
}

const numberOrNull = (value: unknown) => (typeof value === 'number' ? value : null)
