import type { Round, RoundBook } from '../alignment/ports.ts'
import { judgmentWeight } from '../alignment/validator-pay.ts'
import type { Address, Bytes32 } from '../protocol/hex.ts'
import type { RunBook } from '../training/ports.ts'
import type { AccountWeight } from './split-revenue.ts'

/**
 * What judging weighs: tasks by the weight that the scoring gave, over the rounds of the vote that made the served
 * version. They share the validators' pool for as long as that version earns, as contributors share theirs. A round
 * whose candidate was not promoted counts too: that was known only because people judged.
 */
export function validatorWeights(rounds: readonly Round[]): AccountWeight[] {
  const weights = new Map<Address, bigint>()
  for (const { state, scores } of rounds) {
    if (state !== 'closed' || scores === null) continue
    for (const score of scores.validators)
      weights.set(score.validator, (weights.get(score.validator) ?? 0n) + judgmentWeight(score))
  }
  return [...weights]
    .map(([account, weight]) => ({ account, weight }))
    .sort((one, other) => (one.account < other.account ? -1 : 1))
}

/** Every round of the runs that a proposal started. */
export async function roundsOfProposal(
  deps: { runs: Pick<RunBook, 'list'>; rounds: Pick<RoundBook, 'list'> },
  proposalId: Bytes32,
): Promise<Round[]> {
  const runs = await everyPage(cursor => deps.runs.list({ cursor }))
  const ids = new Set(runs.filter(run => run.proposalId === proposalId).map(run => run.id))
  return (await everyPage(cursor => deps.rounds.list({ cursor }))).filter(round => ids.has(round.runId))
}

async function everyPage<T>(
  page: (cursor: string | undefined) => Promise<{ items: T[]; cursor: string | null }>,
): Promise<T[]> {
  const items: T[] = []
  let cursor: string | null | undefined
  do {
    const next = await page(cursor ?? undefined)
    items.push(...next.items)
    cursor = next.cursor
  } while (cursor !== null)
  return items
}
