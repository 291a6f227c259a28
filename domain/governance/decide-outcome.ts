import type { Rules } from '../../api/schemas/governance.ts'
import type { Tally } from './proposal.ts'
import { quorumWei } from './rules.ts'

/**
 * OpenZeppelin's GovernorCountingSimple: quorum is reached by for + abstain (or by for alone where the rules
 * say so), and for must exceed against. A tie fails.
 */
export function decideOutcome(
  rules: Rules,
  tally: Tally,
  totalSupplyWei: bigint,
): { outcome: 'passed' | 'defeated'; quorumWei: bigint; reason: string } {
  const quorum = quorumWei(rules, totalSupplyWei)
  const towardsQuorum = rules.quorumCounts === 'for' ? tally.forWei : tally.forWei + tally.abstainWei
  if (towardsQuorum < quorum) {
    return {
      outcome: 'defeated',
      quorumWei: quorum,
      reason: `quorum not reached: ${towardsQuorum} of ${quorum} wei`,
    }
  }
  if (tally.forWei <= tally.againstWei) {
    return {
      outcome: 'defeated',
      quorumWei: quorum,
      reason: `not more for (${tally.forWei}) than against (${tally.againstWei})`,
    }
  }
  return {
    outcome: 'passed',
    quorumWei: quorum,
    reason: `${tally.forWei} wei for, ${tally.againstWei} against`,
  }
}
