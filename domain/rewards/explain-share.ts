import type { ScoreRow } from '../protocol/payout-file.ts'
import { usefulnessStanding } from './usefulness-weights.ts'

/**
 * Which rule gave a contributor the weight:
 *   lower-bound     surely useful: paid by the lower bound of the interval
 *   quality-floor   the floor by records, because the effect cannot be told from none, or is below the floor
 *   harmful         the whole interval is below zero: nothing, and a review
 *   not-trained-on  no record of the account is in the train part
 *   no-quality      records, but none that is original and good
 */
export type StandingRule = 'lower-bound' | 'quality-floor' | 'harmful' | 'not-trained-on' | 'no-quality'

/** The rule of a row of a payout file; `rows` are all scores of the period. */
export function standingRule(
  row: ScoreRow,
  rows: readonly Pick<ScoreRow, 'records'>[],
  qualityFloorPpm: number,
): StandingRule {
  if (row.records === 0) return 'not-trained-on'
  const standing = usefulnessStanding(row)
  if (standing === 'harmful') return 'harmful'
  if (row.qualityPpm === 0 || row.originalityPpm === 0) return 'no-quality'
  const allRecords = BigInt(rows.reduce((sum, { records }) => sum + records, 0))
  const byUse = BigInt(row.lowPpm) * allRecords
  const byFloor = BigInt(qualityFloorPpm) * BigInt(row.records)
  return standing === 'proven' && byUse >= byFloor ? 'lower-bound' : 'quality-floor'
}

const percent = (ppm: number) => `${Math.round(ppm / 100) / 100} %`

/** The rule as a sentence for the person whom it paid or did not pay. */
export function explainShare(rule: StandingRule, row: ScoreRow): string {
  const records = `${row.records} ${row.records === 1 ? 'record' : 'records'}`
  switch (rule) {
    case 'lower-bound':
      return `Your ${records} helped the model measurably; you are paid by what they surely helped (the lower bound, ${percent(row.lowPpm)} of the most useful).`
    case 'quality-floor':
      return `The effect of your ${records} cannot be told from none, or is small; you are paid the floor for good records.`
    case 'harmful':
      return `Your ${records} made the model's answers measurably worse; they are not paid, and somebody will look at them.`
    case 'no-quality':
      return `None of your ${records} counts as original and good, so none is paid.`
    case 'not-trained-on':
      return row.originalityPpm < 1_000_000
        ? `The model was not trained on any record of yours: ${percent(1_000_000 - row.originalityPpm)} of what you sent were copies of earlier records.`
        : 'The model was not trained on any record of yours.'
  }
}
