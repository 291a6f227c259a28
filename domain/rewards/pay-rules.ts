import type { PoolShares } from './split-revenue.ts'

/** How a period's revenue is parted. Each payout file says the shares that it was made with. */
export const POOLS: PoolShares = { contributors: 700_000, validators: 200_000, reserve: 100_000 }
/** What all floors together weigh against the most useful contributor: honest work is never worth nothing. */
export const QUALITY_FLOOR_PPM = 50_000
