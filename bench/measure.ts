/** Figures and how they are summed up. A comparison is measured in the same run, in turns with what it stands beside. */

export type Spread = {
  readonly median: number
  /** 5th and 95th percentile by nearest rank: with fewer than 20 samples the smallest and the largest. */
  readonly low: number
  readonly high: number
  readonly count: number
}

export type Row = {
  readonly what: string
  readonly unit: 'per second' | 's' | 'ms'
  readonly figure: Spread
  /** null where nothing smaller does the same job. */
  readonly comparison: { readonly what: string; readonly figure: Spread } | null
  /** What it takes longer than the comparison beside it, sample by sample. */
  readonly added?: Spread
}

export function spreadOf(samples: readonly number[]): Spread {
  const sorted = [...samples].sort((a, b) => a - b)
  const count = sorted.length
  if (count === 0) throw new Error('Nothing was measured')
  const rank = (share: number) => sorted[Math.max(0, Math.ceil(share * count) - 1)]!
  const median = (sorted[Math.floor((count - 1) / 2)]! + sorted[Math.floor(count / 2)]!) / 2
  return { median, low: rank(0.05), high: rank(0.95), count }
}

/** The figures side by side, and what each pair differs by. */
export function addedTo(figures: readonly number[], comparisons: readonly number[]): Spread {
  return spreadOf(figures.map((figure, at) => figure - comparisons[at]!))
}

export async function secondsOf(work: () => unknown): Promise<number> {
  const startedAt = performance.now()
  await work()
  return (performance.now() - startedAt) / 1_000
}

/** Runs `work` on every item, at most `width` at a time, in order of their start. */
export async function inTurns<T>(items: readonly T[], width: number, work: (item: T) => Promise<unknown>) {
  const waiting = items.values()
  const lane = async () => {
    for (const item of waiting) await work(item)
  }
  await Promise.all(Array.from({ length: width }, lane))
}
