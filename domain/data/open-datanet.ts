import type { DatanetTerms } from '../../api/schemas/governance.ts'
import type { Bytes32 } from '../protocol/hex.ts'
import { documentId } from '../protocol/ids.ts'
import { datanetLeaf } from './leaves.ts'
import type { DatanetBook, Log } from './ports.ts'

export type OpenDatanetDeps = { readonly datanets: DatanetBook; readonly log: Log }

/**
 * Opens the Datanet of a passed proposal: logs its terms, which commit the digests of its evaluation sets, and
 * keeps it. The id follows from proposal and terms, so a repeated call ends in the same place.
 */
export async function openDatanet(
  deps: OpenDatanetDeps,
  proposal: { readonly id: Bytes32 },
  terms: DatanetTerms,
  now: number,
): Promise<{ datanetId: Bytes32 }> {
  const datanetId = documentId({ proposalId: proposal.id, terms })
  await deps.datanets.keep({ id: datanetId, terms, proposalId: proposal.id, openedAt: now, logIndex: null })
  const { index } = await deps.log.append(datanetLeaf(datanetId, proposal.id, terms))
  await deps.datanets.recordLogIndex(datanetId, index)
  return { datanetId }
}
