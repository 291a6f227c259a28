import type { Rules } from '../../api/schemas/governance.ts'
import type { Address, Bytes32 } from '../protocol/hex.ts'

/** The facts that a deployment keeps for ever: what every signature is bound to and who may review. */
export type Genesis = {
  readonly deploymentId: Bytes32
  readonly stage: string
  readonly chainId: number
  readonly gOpen: Address
  readonly openToken: Address
  readonly rewardClaims: Address
  readonly governors: { readonly addresses: readonly Address[]; readonly threshold: number }
  readonly rules: Rules
  readonly rehearsal: boolean
}
