/**
 * How often a property is tried. `PROVE_RUNS` raises it (`npm run prove`), `PROVE_SEED` repeats a run.
 * Every property passes `proveRuns()` to `fc.assert`, so that one place decides.
 */

/** Enough to catch a wrong rule within a second, so that the everyday suite stays quick. */
const EVERYDAY_RUNS = 100
/** The everyday suite is the same on every machine; `npm run prove` draws its own seed and prints it. */
const EVERYDAY_SEED = 20_261_122

function positiveInteger(name: string): number | undefined {
  const text = process.env[name]
  if (text === undefined || text === '') return undefined
  const value = Number(text)
  if (!Number.isSafeInteger(value) || value < 1)
    throw new Error(`${name} must be a positive integer, not ${text}`)
  return value
}

const wanted = positiveInteger('PROVE_RUNS')
const seed =
  positiveInteger('PROVE_SEED') ??
  (wanted === undefined ? EVERYDAY_SEED : Math.floor(Math.random() * 2 ** 31) + 1)

if (wanted !== undefined) process.stderr.write(`prove: ${wanted} runs a property, PROVE_SEED=${seed}\n`)

export type ProveRuns = { numRuns: number; seed: number; endOnFailure: boolean }

/**
 * Parameters for `fc.assert`. `cost` is how many times dearer one run is than a plain arithmetic property:
 * a property that takes 50 ms a run asks for `proveRuns(50)` and gets 50 times fewer runs, never under 3.
 */
export function proveRuns(cost = 1): ProveRuns {
  const runs = wanted ?? EVERYDAY_RUNS
  return { numRuns: Math.max(3, Math.ceil(runs / cost)), seed, endOnFailure: false }
}

/** Seeds 1..n for statements over many simulated mixes; `everyday` many, and more when proving. */
export function proveSeeds(everyday: number): number[] {
  const count =
    wanted === undefined ? everyday : Math.max(everyday, Math.ceil((everyday * wanted) / EVERYDAY_RUNS))
  return Array.from({ length: count }, (_, at) => at + 1)
}
