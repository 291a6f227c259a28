import * as z from 'zod'
import type { Submission } from '../data/submission.ts'
import { OpenLedgerError } from '../errors.ts'
import { type Address, parseAddress } from '../protocol/hex.ts'
import { type ContributorScores, logUsefulness, type MeasuredUsefulness } from './usefulness-weights.ts'

const PPM = 1_000_000
/** Accounts without a record in training have a row that says why, but a flood of them must not fill the file. */
const MAX_UNPAID_ROWS = 1_000
/** Not for what a record is, but for how many its account may bring. */
const CAP = 'unvetted-account-cap'

const usefulnessFile = z.record(
  z.string(),
  z.object({ value: z.number(), low: z.number(), high: z.number(), records: z.int().min(0) }),
)

/**
 * `usefulness.json` as the measuring job leaves it (training/usefulness.py).
 * @throws OpenLedgerError not-found, malformed
 */
export function parseUsefulness(bytes: Uint8Array | null, key: string): MeasuredUsefulness[] {
  if (bytes === null) throw new OpenLedgerError('not-found', 'The job left no measurement', { expected: key })
  const parsed = usefulnessFile.safeParse(JSON.parse(new TextDecoder().decode(bytes)))
  if (!parsed.success) {
    throw new OpenLedgerError('malformed', 'This is no measurement of usefulness', {
      expected: 'value, low, high and records by contributor',
      seen: parsed.error.issues[0]?.path.join('.') ?? 'another document',
    })
  }
  return Object.entries(parsed.data).map(([contributor, { value, low, high, records }]) => ({
    account: parseAddress(contributor),
    // With one record and one question all three are the same number, up to the last digit of a float.
    value: Math.max(low, Math.min(high, value)),
    low,
    high,
    records,
  }))
}

type Decided = Pick<Submission, 'manifest' | 'outcome'>

/**
 * Scores of a payout file, from the measurement and from the outcomes of the submissions, which the log holds:
 *
 *   originality = (lines - copies) / lines
 *   quality     = accepted / (lines - copies - lines over the account's cap)
 *
 * in ppm, rounded down, over all of an account's submissions in the log, also those that came after the freeze: copying
 * is evidence whenever it is done. Who sent records but has none in training has a row of zeros: it says why nothing is
 * paid.
 * @throws OpenLedgerError dataset-changed when the measured records are not those of the dataset
 */
export function contributorScores(
  measured: readonly MeasuredUsefulness[],
  trained: Readonly<Record<Address, number>>,
  submissions: readonly Decided[],
): ContributorScores[] {
  requireSameRecords(measured, trained)
  const counts = new Map<Address, { lines: number; copies: number; capped: number; accepted: number }>()
  for (const { manifest, outcome } of submissions) {
    if (outcome === null) continue
    const own = counts.get(manifest.contributor) ?? { lines: 0, copies: 0, capped: 0, accepted: 0 }
    const copies = Object.entries(outcome.refused)
      .filter(([code]) => code.endsWith('-copy'))
      .reduce((sum, [, count]) => sum + count, 0)
    counts.set(manifest.contributor, {
      lines: own.lines + outcome.lines,
      copies: own.copies + copies,
      capped: own.capped + (outcome.refused[CAP] ?? 0),
      accepted: own.accepted + outcome.accepted,
    })
  }
  const known = new Set(measured.map(({ account }) => account))
  const unpaid = [...counts.keys()]
    .filter(account => !known.has(account))
    .sort()
    .slice(0, MAX_UNPAID_ROWS)
    .map(account => ({ account, valuePpm: 0, lowPpm: 0, highPpm: 0, records: 0 }))
  return [...logUsefulness(measured), ...unpaid]
    .sort((one, other) => (one.account < other.account ? -1 : 1))
    .map(row => {
      const { lines, copies, capped, accepted } = counts.get(row.account) ?? NOTHING
      return {
        ...row,
        qualityPpm: share(accepted, lines - copies - capped),
        originalityPpm: share(lines - copies, lines),
      }
    })
}

const NOTHING = { lines: 0, copies: 0, capped: 0, accepted: 0 }
const share = (part: number, whole: number) =>
  whole <= 0 ? 0 : Math.min(PPM, Math.floor((part * PPM) / whole))

function requireSameRecords(
  measured: readonly MeasuredUsefulness[],
  trained: Readonly<Record<Address, number>>,
): void {
  const spell = (rows: readonly (readonly [string, number])[]) =>
    rows
      .filter(([, records]) => records > 0)
      .map(([account, records]) => `${account}: ${records}`)
      .sort()
      .join(', ')
  const expected = spell(Object.entries<number>(trained))
  const seen = spell(measured.map(({ account, records }) => [account, records]))
  if (seen === expected) return
  throw new OpenLedgerError('dataset-changed', 'The measured records are not those of the dataset', {
    expected: expected.slice(0, 300),
    seen: seen.slice(0, 300),
  })
}
