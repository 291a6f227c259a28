/** What one look found. `fix` says what to do about it, in words that can be followed. */
export type Finding = {
  readonly name: string
  readonly state: 'ok' | 'wrong' | 'skipped'
  readonly found: string
  readonly fix?: string
}

/** A look that found what is needed, or throws; whatever it throws is what was found. */
export type Look = {
  readonly name: string
  readonly fix: string
  readonly look: () => Promise<string>
}

/** Thrown by a look that has nothing to look at here; the reason is what is told. */
export class Skipped extends Error {
  override readonly name = 'Skipped'
}

/** Longer than any endpoint that can be used takes to answer. */
export const LOOK_MS = 15_000

/**
 * Each look to its own end: one that fails, or hangs, says nothing about the others. What a look left open ends by
 * its own time limit.
 */
export async function findings(looks: readonly Look[], limitMs = LOOK_MS): Promise<Finding[]> {
  return Promise.all(
    looks.map(async ({ name, fix, look }): Promise<Finding> => {
      let timer: NodeJS.Timeout | undefined
      const tooLate = new Promise<never>((_, fail) => {
        timer = setTimeout(() => fail(new Error(`no answer within ${limitMs / 1_000} s`)), limitMs)
      })
      try {
        return { name, state: 'ok', found: await Promise.race([look(), tooLate]) }
      } catch (error) {
        const found = error instanceof Error ? error.message : String(error)
        return error instanceof Skipped
          ? { name, state: 'skipped', found }
          : { name, state: 'wrong', found: found || 'no answer', fix }
      } finally {
        clearTimeout(timer)
      }
    }),
  )
}
