import { OpenLedgerError } from '../../domain/errors.ts'
import { deps } from '../deps.ts'

/** The part of the reward model's `metrics.json` that decides whether it may teach. */
type Metrics = { heldOut?: { accuracy: number; low: number; high: number; n: number } }

/** A reward model is used only when its accuracy on held-out pairs is above chance with its whole interval. */
const CHANCE = 0.5

export const handler = async (event: { runId: string; job: string }) => {
  const key = `runs/${event.runId}/${event.job}/output/model/metrics.json`
  const bytes = await deps.artifacts().get(key)
  if (bytes === null)
    throw new OpenLedgerError('not-found', 'The reward model left no metrics', { expected: key })
  const { heldOut } = JSON.parse(new TextDecoder().decode(bytes)) as Metrics
  if (typeof heldOut?.low !== 'number') {
    throw new OpenLedgerError('malformed', 'The metrics of the reward model hold no accuracy', {
      expected: key,
    })
  }
  return { better: heldOut.low > CHANCE, heldOut }
}
