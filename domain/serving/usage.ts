import type { Address, Bytes32 } from '../protocol/hex.ts'

/** What one request used and cost. The request's id is its natural key. */
export type UsageRecord = {
  readonly requestId: string
  readonly keyId: string
  readonly account: Address
  readonly alias: string
  readonly version: Bytes32
  readonly datanetId: Bytes32
  readonly promptTokens: number
  readonly completionTokens: number
  readonly chargedWei: bigint
  readonly at: number
  readonly period: number
  /** True when the caller left before the model had counted: the counts are then a floor. */
  readonly estimated: boolean
}

/** The sum of a period's records of one alias and version. */
export type UsageTotal = {
  readonly alias: string
  readonly version: Bytes32
  readonly datanetId: Bytes32
  readonly requests: number
  readonly promptTokens: number
  readonly completionTokens: number
  readonly chargedWei: bigint
}

/** The period of an instant: whole periods since 1970-01-01 UTC. With 86,400 seconds it is the UTC day. */
export function periodOf(instantMs: number, periodSeconds: number): number {
  return Math.floor(instantMs / 1_000 / periodSeconds)
}
