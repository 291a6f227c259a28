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
const LOOK_MS = 15_000

/** Each look to its own end: one that fails, or hangs, says nothing about the others. */
export async function findings(looks: readonly Look[]): Promise<Finding[]> {
  return Promise.all(
    looks.map(async ({ name, fix, look }): Promise<Finding> => {
      let timer: NodeJS.Timeout | undefined
      const tooLate = new Promise<never>((_, fail) => {
        timer = setTimeout(() => fail(new Error(`no answer within ${LOOK_MS / 1_000} s`)), LOOK_MS)
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
