/** What every verification answers: checks in order, each with what was found, up to the first that fails. */

export interface Check {
  /** Stable, short: for scripts. */
  readonly name: string
  readonly ok: boolean
  /** For people: what was found, or what is wrong. */
  readonly detail: string
}

export interface Report {
  readonly ok: boolean
  /** Ends with the first failed check; later ones would rest on it. */
  readonly checks: readonly Check[]
  /** What this verification cannot see, or was given nothing to compare with. */
  readonly notChecked: readonly string[]
}

/** A check that does not hold; its message becomes the detail. */
class Stopped extends Error {}

export class Checklist {
  readonly checks: Check[] = []
  readonly notChecked: string[] = []

  /** Runs one check; `body` answers what was found (or a value and that), and throws what is wrong. */
  check<T>(name: string, body: () => readonly [detail: string, value: T]): T
  check(name: string, body: () => string): void
  check<T>(name: string, body: () => string | readonly [string, T]): T | undefined {
    try {
      const found = body()
      const [detail, value] = typeof found === 'string' ? [found, undefined] : found
      this.checks.push({ name, ok: true, detail })
      return value
    } catch (error) {
      return this.fail(name, error)
    }
  }

  /** The same for a check that has to wait. */
  async checkLater<T>(name: string, body: () => Promise<readonly [detail: string, value: T]>): Promise<T> {
    try {
      const [detail, value] = await body()
      this.checks.push({ name, ok: true, detail })
      return value
    } catch (error) {
      return this.fail(name, error)
    }
  }

  /** Takes over the checks of another verification on which this one rests. */
  include(prefix: string, report: Report): void {
    this.checks.push(...report.checks.map(check => ({ ...check, name: `${prefix}/${check.name}` })))
    for (const gap of report.notChecked) if (!this.notChecked.includes(gap)) this.notChecked.push(gap)
    if (!report.ok) throw new Stopped()
  }

  private fail(name: string, error: unknown): never {
    this.checks.push({ name, ok: false, detail: error instanceof Error ? error.message : String(error) })
    throw new Stopped()
  }
}

/** Runs the checks of `body` until one fails. */
export async function verification(body: (list: Checklist) => Promise<void>): Promise<Report> {
  const list = new Checklist()
  try {
    await body(list)
  } catch (error) {
    if (!(error instanceof Stopped)) throw error
  }
  return { ok: list.checks.every(check => check.ok), checks: list.checks, notChecked: list.notChecked }
}

/** @throws Error unless both are equal */
export function same(what: string, expected: unknown, seen: unknown): void {
  if (expected !== seen) throw new Error(`${what} is ${String(seen)}, not ${String(expected)}`)
}
