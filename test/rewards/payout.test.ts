import fc from 'fast-check'
import type { Address } from '../../domain/protocol/hex.ts'
import {
  EMPTY_PAYOUTS,
  HELD_PPM,
  type PayoutState,
  type Period,
  RELEASE_AFTER_PERIODS,
  settlePeriod,
  totalCumulative,
  totalHeld,
} from '../../domain/rewards/payout.ts'
import { proveRuns } from '../support/prove-runs.ts'

const account = (number: number) => `0x${number.toString(16).padStart(40, '0')}` as Address
const [ANN, BEN] = [account(1), account(2)]

const aPeriod = (period: number, changes: Partial<Period> = {}): Period => ({
  period,
  shares: [],
  reserve: 0n,
  penalties: [],
  underReview: new Set(),
  releaseAfterPeriods: RELEASE_AFTER_PERIODS,
  ...changes,
})
const share = (to: Address, amount: bigint, heldPpm = HELD_PPM) => ({ account: to, amount, heldPpm })

/** Settles periods one after the other. */
const settleAll = (periods: readonly Period[], from: PayoutState = EMPTY_PAYOUTS) =>
  periods.reduce((state, period) => settlePeriod(state, period).state, from)
const balanceOf = (state: PayoutState, of: Address) => state.accounts.find(balance => balance.account === of)

const anyAmount = fc.bigInt({ min: 0n, max: 10n ** 24n })
const anyAccount = fc.nat(5).map(account)
const anyPeriods = fc
  .array(
    fc.record({
      shares: fc.array(fc.record({ account: anyAccount, amount: anyAmount, heldPpm: fc.nat(1_000_000) }), {
        maxLength: 8,
      }),
      reserve: anyAmount,
      penalties: fc.array(fc.record({ account: anyAccount, amount: anyAmount }), { maxLength: 3 }),
      underReview: fc.uniqueArray(anyAccount, { maxLength: 3 }).map(accounts => new Set(accounts)),
      releaseAfterPeriods: fc.nat(3),
      gap: fc.integer({ min: 1, max: 3 }),
    }),
    { maxLength: 8 },
  )
  .map(periods => {
    let number = 0
    return periods.map(({ gap, ...period }): Period => {
      number += gap
      return { period: number, ...period }
    })
  })

describe('payouts over periods', () => {
  it('conserve: paid and held and reserve are all that ever came in', () => {
    fc.assert(
      fc.property(anyPeriods, periods => {
        const received = periods.reduce(
          (sum, { shares, reserve }) => shares.reduce((all, { amount }) => all + amount, sum + reserve),
          0n,
        )
        const state = settleAll(periods)
        expect(totalCumulative(state) + totalHeld(state) + state.reserve).toBe(received)
      }),
      proveRuns(),
    )
  })

  it('never let a cumulative amount fall, nor a penalty take what was paid', () => {
    fc.assert(
      fc.property(anyPeriods, periods => {
        let before = EMPTY_PAYOUTS
        for (const period of periods) {
          const { state, payouts } = settlePeriod(before, period)
          for (const { account, cumulative } of before.accounts)
            expect(balanceOf(state, account)!.cumulative >= cumulative).toBe(true)
          for (const { account, penalty, heldNow } of payouts) {
            const heldBefore =
              balanceOf(before, account)?.held.reduce((sum, { amount }) => sum + amount, 0n) ?? 0n
            const asked = period.penalties
              .filter(of => of.account === account)
              .reduce((sum, { amount }) => sum + amount, 0n)
            expect(penalty <= asked && penalty <= heldBefore + heldNow).toBe(true)
          }
          before = state
        }
      }),
      proveRuns(),
    )
  })

  it('hold a fifth and release it two periods later', () => {
    const first = settlePeriod(EMPTY_PAYOUTS, aPeriod(1, { shares: [share(ANN, 1_000n)] }))
    expect(first.payouts).toEqual([{ account: ANN, paid: 800n, heldNow: 200n, released: 0n, penalty: 0n }])
    expect(balanceOf(settleAll([aPeriod(2)], first.state), ANN)).toMatchObject({ cumulative: 800n })
    expect(balanceOf(settleAll([aPeriod(2), aPeriod(3)], first.state), ANN)).toEqual({
      account: ANN,
      cumulative: 1_000n,
      held: [],
    })
  })

  it('add the shares of an account that contributes and validates', () => {
    const { payouts } = settlePeriod(EMPTY_PAYOUTS, aPeriod(1, { shares: [share(ANN, 9n), share(ANN, 9n)] }))
    expect(payouts).toEqual([{ account: ANN, paid: 16n, heldNow: 2n, released: 0n, penalty: 0n }])
  })

  it('wait whole for evidence where that is asked', () => {
    const state = settleAll([aPeriod(1, { shares: [share(ANN, 70n, 1_000_000)] })])
    expect(balanceOf(state, ANN)).toEqual({
      account: ANN,
      cumulative: 0n,
      held: [{ period: 1, amount: 70n }],
    })
  })

  it('take a penalty from the oldest held part first, before it is released, and give it to the reserve', () => {
    const state = settleAll([
      aPeriod(1, { shares: [share(ANN, 1_000n), share(BEN, 1_000n)] }),
      aPeriod(2, { shares: [share(ANN, 500n)] }),
    ])
    const { state: after, payouts } = settlePeriod(
      state,
      aPeriod(3, { penalties: [{ account: ANN, amount: 250n }] }),
    )
    expect(payouts).toEqual([
      { account: ANN, paid: 0n, heldNow: 0n, released: 0n, penalty: 250n },
      { account: BEN, paid: 0n, heldNow: 0n, released: 200n, penalty: 0n },
    ])
    expect(balanceOf(after, ANN)).toEqual({
      account: ANN,
      cumulative: 1_200n,
      held: [{ period: 2, amount: 50n }],
    })
    expect(after.reserve).toBe(250n)
  })

  it('take no more than is held, from nobody else, and nothing from who has nothing', () => {
    const state = settleAll([aPeriod(1, { shares: [share(ANN, 1_000n), share(BEN, 1_000n)] })])
    const { state: after } = settlePeriod(
      state,
      aPeriod(2, {
        penalties: [
          { account: ANN, amount: 10n ** 30n },
          { account: account(9), amount: 5n },
        ],
      }),
    )
    expect(balanceOf(after, ANN)).toEqual({ account: ANN, cumulative: 800n, held: [] })
    expect(balanceOf(after, BEN)).toEqual(balanceOf(state, BEN))
    expect(after.reserve).toBe(200n)
  })

  it('release nothing of an account under review, and all of it once the review is closed', () => {
    const paid = aPeriod(1, { shares: [share(ANN, 1_000n)] })
    const reviewed = settleAll([
      paid,
      aPeriod(2),
      aPeriod(3, { underReview: new Set([ANN]) }),
      aPeriod(4, { underReview: new Set([ANN]) }),
    ])
    expect(balanceOf(reviewed, ANN)).toMatchObject({ cumulative: 800n, held: [{ period: 1, amount: 200n }] })
    expect(balanceOf(settleAll([aPeriod(5)], reviewed), ANN)).toMatchObject({ cumulative: 1_000n, held: [] })
  })

  it('settle a period once: again, or an earlier one, is refused', () => {
    const state = settleAll([aPeriod(3, { shares: [share(ANN, 10n)] })])
    for (const period of [3, 2, 0, 3.5, Number.NaN])
      expect(() => settlePeriod(state, aPeriod(period))).toThrow(
        expect.objectContaining({ code: 'period-settled' }),
      )
  })

  it('are refused with negative amounts', () => {
    const malformed = expect.objectContaining({ code: 'malformed' })
    expect(() => settlePeriod(EMPTY_PAYOUTS, aPeriod(1, { shares: [share(ANN, -1n)] }))).toThrow(malformed)
    expect(() =>
      settlePeriod(EMPTY_PAYOUTS, aPeriod(1, { penalties: [{ account: ANN, amount: -1n }] })),
    ).toThrow(malformed)
    expect(() => settlePeriod(EMPTY_PAYOUTS, aPeriod(1, { reserve: -1n }))).toThrow(malformed)
    expect(() => settlePeriod(EMPTY_PAYOUTS, aPeriod(1, { shares: [share(ANN, 1n, 1_000_001)] }))).toThrow(
      malformed,
    )
    expect(() => settlePeriod(EMPTY_PAYOUTS, aPeriod(1, { releaseAfterPeriods: -1 }))).toThrow(malformed)
  })
})
