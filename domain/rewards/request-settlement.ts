import { OpenLedgerError } from '../errors.ts'
import type { Genesis } from '../governance/genesis.ts'
import type { Bytes32 } from '../protocol/hex.ts'
import type { AliasBook } from '../serving/ports.ts'
import { periodOf } from '../serving/usage.ts'
import { requireSettleable } from './open-period.ts'
import type { SettledPeriod, SettlementBook, SettlementStarter } from './ports.ts'

export type RequestSettlementDeps = {
  readonly genesis: Pick<Genesis, 'rehearsal'>
  readonly settlements: Pick<SettlementBook, 'get' | 'latest'>
  readonly starter: SettlementStarter
  readonly periodSeconds: number
}

const isDone = (settled: SettledPeriod | null) =>
  settled !== null && settled.logIndex !== null && (settled.root === null || settled.proposal !== null)

/**
 * Settles a period of a rehearsal now; elsewhere the schedule does it when the period is over. Asked again, it answers
 * how far the settlement is.
 * @throws OpenLedgerError forbidden on other stages, malformed, period-settled; conflict after too many tries
 */
export async function requestSettlement(
  deps: RequestSettlementDeps,
  input: { datanetId: Bytes32; period: number; now: number },
): Promise<{ period: number; state: 'settled' | 'running'; execution: string | null }> {
  const { datanetId, period, now } = input
  const { rehearsal } = deps.genesis
  if (!rehearsal)
    throw new OpenLedgerError('forbidden', 'Periods of this stage are settled by the schedule', {
      expected: 'a stage with "rehearsal": true',
    })
  const settled = await deps.settlements.get(period)
  if (isDone(settled)) return { period, state: 'settled', execution: null }
  if (settled === null) {
    const latest = await deps.settlements.latest()
    requireSettleable(period, { latest, now, periodSeconds: deps.periodSeconds, rehearsal })
  }
  const started = await deps.starter.start({ datanetId, period, againAfterSuccess: true })
  if (started === null)
    throw new OpenLedgerError('conflict', 'The settlement of this period has failed too often', {
      expected: "an operator's look at the executions of settle-payouts",
      seen: `period ${period}`,
    })
  return { period, state: 'running', execution: started.execution }
}

/** Days of failures that the schedule makes good by itself; what is older needs a person. */
const PERIODS_BACK = 7

/**
 * Starts the oldest period that is over and not settled: RewardClaims takes periods in order, so a later one settled
 * first would strand what came into it. A period in which nothing came in does not hold up the next.
 */
export async function settleDuePeriods(
  deps: Omit<RequestSettlementDeps, 'genesis'> & { readonly aliases: Pick<AliasBook, 'list'> },
  now: number,
): Promise<{ executions: string[] }> {
  const last = periodOf(now, deps.periodSeconds) - 1
  const latest = await deps.settlements.latest()
  const datanets = new Set((await deps.aliases.list()).map(alias => alias.datanetId))
  // The last settled one too, while its root is not on chain.
  const first = latest === null ? last : isDone(latest) ? latest.period + 1 : latest.period
  for (let period = Math.max(1, first, last - PERIODS_BACK + 1); period <= last; period++) {
    const started = await Promise.all(
      [...datanets].map(datanetId => deps.starter.start({ datanetId, period, againAfterSuccess: false })),
    )
    const executions = started.flatMap(one => (one?.state === 'running' ? [one.execution] : []))
    if (executions.length > 0 || started.includes(null)) return { executions }
  }
  return { executions: [] }
}
