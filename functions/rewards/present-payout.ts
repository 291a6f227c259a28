import type { AccountRewardsView, PayoutView } from '../../api/schemas/rewards.ts'
import type { PayoutFile, ScoreRow } from '../../domain/protocol/payout-file.ts'
import type { AccountRewards } from '../../domain/rewards/account-rewards.ts'
import { explainShare } from '../../domain/rewards/explain-share.ts'
import type { AccountPeriod, PoolPart, SettledPeriod } from '../../domain/rewards/ports.ts'
import { accountPeriods } from '../../domain/rewards/settle-period.ts'
import { iso } from '../http/presenters.ts'

/** A settled period with every share and the rule that gave it, from its published file. */
export function presentPayout(settled: SettledPeriod, file: PayoutFile): PayoutView {
  const rows = accountPeriods(settled.datanetId, file)
  return {
    period: settled.period,
    datanetId: settled.datanetId,
    settledAt: iso(settled.settledAt),
    revenueWei: file.revenue,
    pools: {
      contributorsWei: file.contributors.amount,
      validatorsWei: file.validators.amount,
      reserveWei: String(
        BigInt(file.revenue) - BigInt(file.contributors.amount) - BigInt(file.validators.amount),
      ),
    },
    totalWei: file.total,
    reserveAddedWei: file.reserve.added,
    root: file.root,
    file: settled.file,
    logIndex: settled.logIndex,
    readAt: { blockNumber: settled.readAt.number, blockHash: settled.readAt.hash },
    proposal: settled.proposal,
    contributors: rows.flatMap(({ account, contributor }) =>
      contributor === null ? [] : [{ account, ...presentContributor(contributor) }],
    ),
    validators: rows.flatMap(({ account, validator }) =>
      validator === null ? [] : [{ account, ...presentPart(validator) }],
    ),
  }
}

export function presentRewards(rewards: AccountRewards): AccountRewardsView {
  const { proof, pending } = rewards
  return {
    account: rewards.account,
    cumulativeWei: String(rewards.cumulativeWei),
    heldWei: String(rewards.heldWei),
    claimedWei: String(rewards.claimedWei),
    claimableWei: String(rewards.claimableWei),
    proof:
      proof === null
        ? null
        : { ...proof, cumulativeWei: String(proof.cumulativeWei), siblings: [...proof.siblings] },
    pending: pending === null ? null : { period: pending.period, claimableAt: iso(pending.claimableAt) },
    periods: rewards.periods.map(({ period, datanetId, contributor, validator, money }) => ({
      period,
      datanetId,
      contributor: contributor === null ? null : presentContributor(contributor),
      validator: validator === null ? null : presentPart(validator),
      paidWei: money.paid,
      heldNowWei: money.heldNow,
      releasedWei: money.released,
      penaltyWei: money.penalty,
      cumulativeWei: money.after.cumulative,
    })),
  }
}

const presentPart = ({ weight, amount, heldPpm }: PoolPart) => ({ weight, amountWei: amount, heldPpm })

function presentContributor(part: NonNullable<AccountPeriod['contributor']>) {
  return {
    ...presentPart(part),
    usefulness: presentScore(part.score),
    rule: part.rule,
    reason: explainShare(part.rule, part.score),
  }
}

function presentScore({ account: _, ...score }: ScoreRow) {
  return score
}
