import { type Signer as ChainSigner, Contract, type Provider } from 'ethers'
import type { GenesisView } from '../../api/schemas/governance.ts'
import { OpenLedgerError } from '../../domain/errors.ts'
import { type Address, type Bytes32, parseAddress, parseBytes32 } from '../../domain/protocol/hex.ts'

const CLAIMS_ABI = [
  'function settler() view returns (address)',
  'function initializeSettler(address newSettler)',
]
const NOBODY = `0x${'0'.repeat(40)}`
const INITIALIZE_GAS = 200_000n

/** Who may propose payout roots, as RewardClaims has it, and what the payout key can pay for gas. */
export type Settler = {
  /** The payout key of the deployment. */
  readonly payout: Address
  /** null before anybody was named. */
  readonly named: Address | null
  /** The chain's own coin, in its smallest unit. */
  readonly gasWei: bigint
}

export async function settlerOf(genesis: GenesisView, chain: Provider): Promise<Settler> {
  const payout = parseAddress(genesis.signers.payout)
  const claims = new Contract(genesis.rewardClaims, CLAIMS_ABI, chain)
  const [settler, gasWei] = await Promise.all([claims.getFunction('settler')(), chain.getBalance(payout)])
  const named = parseAddress(settler)
  return { payout, named: named === NOBODY ? null : named, gasWei }
}

/**
 * Makes the payout key the settler, as only the account that deployed RewardClaims may, and once. Resolves when
 * it is in a block. @throws OpenLedgerError forbidden for another account; what the chain refuses
 */
export async function initializeSettler(
  genesis: GenesisView,
  deployer: ChainSigner,
  payout: Address,
): Promise<Bytes32> {
  const claims = new Contract(genesis.rewardClaims, CLAIMS_ABI, deployer)
  const initialize = claims.getFunction('initializeSettler')
  // A dry run first: it tells what a mined refusal does not.
  await initialize.staticCall(payout).catch(async cause => {
    throw new OpenLedgerError('forbidden', 'RewardClaims does not let this account name the settler', {
      expected: 'the account that deployed the contract',
      seen: await deployer.getAddress(),
      cause,
    })
  })
  const sent = await initialize(payout, { gasLimit: INITIALIZE_GAS })
  await sent.wait()
  return parseBytes32(sent.hash)
}
