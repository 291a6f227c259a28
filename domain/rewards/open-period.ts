import { OpenLedgerError } from '../errors.ts'
import { periodOf } from '../serving/usage.ts'
import type { SettledPeriod } from './ports.ts'

/** The period that deposits go to: the one of the clock, or the one after a period that was settled early. */
export function openPeriod(
  latest: Pick<SettledPeriod, 'period'> | null,
  now: number,
  periodSeconds: number,
): number {
  return Math.max(periodOf(now, periodSeconds), (latest?.period ?? 0) + 1)
}

/**
 * A period may be settled once it is over; on a rehearsal stage, whose plays do not last a day, also while it is
 * open. Periods are settled in order, as RewardClaims takes their roots.
 * @throws OpenLedgerError malformed for a period that is not over, period-settled for one before a settled one
 */
export function requireSettleable(
  period: number,
  facts: { latest: SettledPeriod | null; now: number; periodSeconds: number; rehearsal: boolean },
): void {
  const open = openPeriod(facts.latest, facts.now, facts.periodSeconds)
  const last = facts.rehearsal ? open : open - 1
  if (period > last)
    throw new OpenLedgerError('malformed', 'This period is not over', {
      expected: `a period up to ${last}`,
      seen: `${period}`,
    })
  if (facts.latest !== null && period <= facts.latest.period)
    throw new OpenLedgerError('period-settled', 'A period from then on is settled', {
      expected: `a period after ${facts.latest.period}`,
      seen: `${period}`,
    })
}
