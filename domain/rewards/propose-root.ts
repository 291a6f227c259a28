import type { LogBook } from '../data/ports.ts'
import { OpenLedgerError } from '../errors.ts'
import { sha256ToBytes32 } from '../protocol/hex.ts'
import { sha256Hex } from '../protocol/ids.ts'
import { parseNote } from '../protocol/signed-note.ts'
import type { RewardClaims, RootProposal, SettlementBook } from './ports.ts'

/**
 * Brings a settled period's root to RewardClaims, together with the log head that covers its payout leaf. A root that
 * was proposed is not proposed again.
 * @throws OpenLedgerError not-found; unavailable until a head covers the leaf, and while another root is in
 * dispute (retry); what RewardClaims refuses
 */
export async function proposeRoot(
  deps: {
    readonly settlements: Pick<SettlementBook, 'get' | 'recordProposed'>
    readonly log: Pick<LogBook, 'published'>
    readonly claims: Pick<RewardClaims, 'propose'>
  },
  period: number,
): Promise<RootProposal | null> {
  const settled = await deps.settlements.get(period)
  if (settled === null || settled.logIndex === null)
    throw new OpenLedgerError('not-found', 'This period is not settled', { seen: `${period}` })
  if (settled.root === null || settled.proposal !== null) return settled.proposal
  const head = await deps.log.published()
  if (head === null || head.frontier.size <= settled.logIndex)
    throw new OpenLedgerError('unavailable', 'No signed head covers the payout yet; try again', {
      expected: `a head above index ${settled.logIndex}`,
      seen: `size ${head?.frontier.size ?? 0}`,
    })
  const logHead = sha256ToBytes32(sha256Hex(parseNote(head.note).text))
  const transaction = await deps.claims.propose({
    root: settled.root,
    period,
    totalWei: settled.totalWei,
    logHead,
  })
  const proposal = { transaction, logHead }
  await deps.settlements.recordProposed(period, proposal)
  return proposal
}
