import type { DatanetView } from '../../api/schemas/data.ts'
import { missingSets } from '../../domain/data/evaluation-sets.ts'
import type { Datanet } from '../../domain/data/ports.ts'
import { deps } from '../deps.ts'
import { iso } from '../http/presenters.ts'

/** A Datanet with its counts and whether it takes submissions. */
export async function viewDatanet(datanet: Datanet): Promise<DatanetView> {
  const [counts, missing] = await Promise.all([
    deps.submissions().counts(datanet.id),
    missingSets({ artifacts: deps.artifacts() }, datanet.terms),
  ])
  return {
    id: datanet.id,
    terms: datanet.terms,
    proposalId: datanet.proposalId,
    openedAt: iso(datanet.openedAt),
    logIndex: datanet.logIndex,
    takesSubmissions: datanet.logIndex !== null && missing.length === 0,
    missingSets: missing,
    counts: { ...counts, outcomes: { ...counts.outcomes }, refusedRecords: { ...counts.refusedRecords } },
  }
}
