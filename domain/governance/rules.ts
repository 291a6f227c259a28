import type { Rules } from '../../api/schemas/governance.ts'
import { documentId } from '../protocol/ids.ts'

const DAY = 86_400
const GOPEN = 10n ** 18n

/**
 * Presets. `openledger-contracts` and `openledger-docs` are the two published sets; `rehearsal` shrinks every
 * window to seconds and is refused on a stage whose config does not say `rehearsal: true`.
 */
export const rulePresets = {
  'openledger-contracts': {
    schema: 1,
    name: 'openledger-contracts',
    proposalThresholdWei: String(100n * GOPEN),
    reviewSeconds: 3 * DAY,
    votingDelaySeconds: DAY,
    votingPeriodSeconds: 14 * DAY,
    quorumPpm: 250_000,
    quorumCounts: 'for-and-abstain',
    timelockSeconds: DAY,
    executionWindowSeconds: 14 * DAY,
  },
  'openledger-docs': {
    schema: 1,
    name: 'openledger-docs',
    proposalThresholdWei: String(10_000n * GOPEN),
    reviewSeconds: 3 * DAY,
    votingDelaySeconds: DAY,
    votingPeriodSeconds: 7 * DAY,
    quorumPpm: 50_000,
    quorumCounts: 'for-and-abstain',
    timelockSeconds: 7 * DAY,
    executionWindowSeconds: 14 * DAY,
  },
  rehearsal: {
    schema: 1,
    name: 'rehearsal',
    proposalThresholdWei: String(100n * GOPEN),
    reviewSeconds: 8,
    votingDelaySeconds: 1,
    votingPeriodSeconds: 20,
    quorumPpm: 250_000,
    quorumCounts: 'for-and-abstain',
    timelockSeconds: 2,
    executionWindowSeconds: 3_600,
  },
} as const satisfies Record<string, Rules>

/** keccak256 of the canonical rules: what a proposal names, so that a rule change never touches older proposals. */
export function rulesDigest(rules: Rules) {
  return documentId(rules)
}

/** Votes needed at this supply: OpenZeppelin's `supply * numerator / denominator`, one floor. */
export function quorumWei(rules: Rules, totalSupplyWei: bigint): bigint {
  return (totalSupplyWei * BigInt(rules.quorumPpm)) / 1_000_000n
}
