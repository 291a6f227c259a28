import { OpenLedgerError } from '../errors.ts'
import { sha256Hex } from '../protocol/ids.ts'
import type { PayoutFile } from '../protocol/payout-file.ts'
import { EMPTY_PAYOUTS, type PayoutState, RELEASE_AFTER_PERIODS } from './payout.ts'
import type { SettledPeriod } from './ports.ts'

type Files = { get(key: string): Promise<Uint8Array | null> }

/**
 * The published file of a settled period, which the next one starts from.
 * @throws OpenLedgerError digest-mismatch when its bytes are not the ones that were settled
 */
export async function readPayoutFile(files: Files, settled: SettledPeriod): Promise<PayoutFile> {
  const { key, sha256 } = settled.file
  const bytes = await files.get(key)
  const seen = bytes === null ? 'nothing' : sha256Hex(bytes)
  if (bytes === null || seen !== sha256)
    throw new OpenLedgerError('digest-mismatch', 'The payout file is not the one that was settled', {
      expected: `${sha256} at ${key}`,
      seen,
    })
  return JSON.parse(new TextDecoder().decode(bytes)) as PayoutFile
}

/** What the last settled period left: balances and reserve; nothing before the first. */
export async function readPayout(
  files: Files,
  latest: SettledPeriod | null,
): Promise<{ readonly state: PayoutState; readonly releaseAfterPeriods: number }> {
  if (latest === null) return { state: EMPTY_PAYOUTS, releaseAfterPeriods: RELEASE_AFTER_PERIODS }
  const file = await readPayoutFile(files, latest)
  return {
    releaseAfterPeriods: file.releaseAfterPeriods,
    state: {
      period: file.period,
      reserve: BigInt(file.reserve.after),
      accounts: file.accounts.map(({ account, after }) => ({
        account,
        cumulative: BigInt(after.cumulative),
        held: after.held.map(({ period, amount }) => ({ period, amount: BigInt(amount) })),
      })),
    },
  }
}
