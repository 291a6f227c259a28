/** The store's part of copy detection, in memory, for measuring: first come is first registered. */
import { type CopyFinding, type CopyKeys, findCopy } from '../../domain/data/copies.ts'

export class CopyBook {
  readonly #accepted: CopyKeys[] = []
  readonly #digests = new Map<string, number>()
  readonly #bands = new Map<string, number[]>()
  readonly #answers = new Map<string, number>()

  /** The earlier record that this one copies, if any. */
  find(keys: CopyKeys): CopyFinding | undefined {
    const candidates = new Set<number>()
    for (const digest of [keys.exact, keys.normalized]) {
      const at = this.#digests.get(digest)
      if (at !== undefined) candidates.add(at)
    }
    for (const band of keys.bands) for (const at of this.#bands.get(band) ?? []) candidates.add(at)
    const uses = this.#answers.get(keys.answer) ?? 0
    for (const at of candidates) {
      const finding = findCopy(keys, this.#accepted[at]!, uses)
      if (finding !== undefined) return finding
    }
    return undefined
  }

  add(keys: CopyKeys): void {
    const at = this.#accepted.push(keys) - 1
    for (const digest of [keys.exact, keys.normalized]) this.#digests.set(digest, at)
    for (const band of keys.bands) {
      const bucket = this.#bands.get(band)
      if (bucket === undefined) this.#bands.set(band, [at])
      else bucket.push(at)
    }
    this.#answers.set(keys.answer, (this.#answers.get(keys.answer) ?? 0) + 1)
  }

  /** Accepts a record unless it is a copy, as intake does. */
  offer(keys: CopyKeys): CopyFinding | undefined {
    const finding = this.find(keys)
    if (finding === undefined) this.add(keys)
    return finding
  }
}
