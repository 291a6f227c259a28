const FIRST_MS = 10
const LONGEST_MS = 1_000

/** Exponential back-off with full jitter: writers that met once do not meet again. `round` counts from 1. */
export function pause(round: number): Promise<void> {
  const longest = Math.min(LONGEST_MS, FIRST_MS * 2 ** round)
  return new Promise(resolve => setTimeout(resolve, Math.random() * longest))
}
