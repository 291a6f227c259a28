import type { Files } from './files.ts'

export type ProgressPoint = { step: number; loss: number; tokensPerSecond: number | null }

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
        const point = JSON.parse(line) as { step?: unknown; loss?: unknown; tokens_per_second?: unknown }
        if (typeof point.step !== 'number' || typeof point.loss !== 'number') return []
        const speed = typeof point.tokens_per_second === 'number' ? point.tokens_per_second : null
        return [{ step: point.step, loss: point.loss, tokensPerSecond: speed }]
      } catch {
        // The last line may be cut while the job writes it; the next read has it whole.
        return []
      }
    })
}
