/**
 * Agreement beyond chance: Krippendorff's alpha for nominal data with missing values (Krippendorff 2011,
 * "Computing Krippendorff's Alpha-Reliability"): 1 is perfect, 0 is what guessing with the same shares gives.
 */

/**
 * @param units each unit's values, one per judge who judged it, in any order
 * @returns alpha, or undefined where no unit has two values or only one value ever occurs (agreement by
 *   chance is then certain, and nothing can be said)
 */
export function krippendorffAlpha(units: readonly (readonly string[])[]): number | undefined {
  // A unit with one value pairs with nothing.
  const totals = new Map<string, number>()
  let observedAgreement = 0
  let n = 0
  for (const unit of units) {
    if (unit.length < 2) continue
    const counts = new Map<string, number>()
    for (const value of unit) counts.set(value, (counts.get(value) ?? 0) + 1)
    for (const [value, count] of counts) {
      observedAgreement += (count * (count - 1)) / (unit.length - 1)
      totals.set(value, (totals.get(value) ?? 0) + count)
    }
    n += unit.length
  }
  let expectedAgreement = 0
  for (const total of totals.values()) expectedAgreement += total * (total - 1)
  const expectedDisagreement = n * (n - 1) - expectedAgreement
  if (n === 0 || expectedDisagreement === 0) return undefined
  return 1 - ((n - 1) * (n - observedAgreement)) / expectedDisagreement
}
