import { Contract } from 'ethers'
import { OpenLedgerError } from '../../domain/errors.ts'
import type { BallotExpectations, PayoutExpectations } from '../../verify/index.ts'
import { chainAt } from '../context.ts'
import type { Trusted } from './trusted.ts'

const GOPEN_ABI = [
  'function getPastVotes(address account, uint256 timepoint) view returns (uint256)',
  'function getPastTotalSupply(uint256 timepoint) view returns (uint256)',
]
const ROOT = '(bytes32 root, uint256 period, uint256 total, bytes32 logHead, uint256 claimableAt)'
const CLAIMS_ABI = [
  'function fundedOf(uint256 period) view returns (uint256)',
  `function pendingRoot() view returns (${ROOT})`,
  `function claimableRoot() view returns (${ROOT})`,
]

type OnChain = NonNullable<PayoutExpectations['onChain']>
export type ChainFacts = {
  /** Powers of a vote as gOPEN tells them. */
  readonly powerOf: NonNullable<BallotExpectations['powerOf']>
  /** What RewardClaims holds of a payout period. */
  readonly payoutOf: (period: number, blockNumber: number | null) => Promise<OnChain>
  readonly close: () => void
}

/**
 * A chain that the person trusts, for what no file can show.
 * @throws OpenLedgerError malformed without genesis facts, wrong-deployment for another chain, unavailable
 */
export async function chainFacts(rpcUrl: string, { trust, rewardClaims }: Trusted): Promise<ChainFacts> {
  const { genesis } = trust
  if (genesis === undefined || rewardClaims === undefined)
    throw new OpenLedgerError('malformed', 'The chain cannot be asked without genesis facts', {
      expected: '--genesis FILE beside --rpc: it says which contracts to ask',
    })
  const provider = chainAt(rpcUrl, genesis.chainId)
  const seen = await provider.send('eth_chainId', []).catch(cause => {
    provider.destroy()
    throw new OpenLedgerError('unavailable', `The chain does not answer at ${rpcUrl}`, {
      expected: 'an RPC endpoint of the deployment’s chain',
      seen: (cause as { shortMessage?: string }).shortMessage ?? String((cause as Error).message),
      cause,
    })
  })
  if (Number(seen) !== genesis.chainId) {
    provider.destroy()
    throw new OpenLedgerError('wrong-deployment', `${rpcUrl} is another chain`, {
      expected: `chain ${genesis.chainId}`,
      seen: `chain ${Number(seen)}`,
    })
  }
  const gOpen = new Contract(genesis.gOpen, GOPEN_ABI, provider)
  const claims = new Contract(rewardClaims, CLAIMS_ABI, provider)
  const read = async (contract: Contract, method: string, ...args: unknown[]): Promise<unknown> =>
    contract.getFunction(method)(...args)

  return {
    // A power of the past never changes, so any node tells it; an archive is not needed. Only the block must exist.
    powerOf: async (voter, opensAtSeconds, block) => {
      if (voter === null) {
        const found = await provider.getBlock(block.number)
        if (found?.hash !== block.hash)
          throw new Error(`block ${block.number} is ${found?.hash ?? 'not there'}, not ${block.hash}`)
        if (found.timestamp <= opensAtSeconds)
          throw new Error(`block ${block.number} is not past the opening of the vote`)
        return BigInt(String(await read(gOpen, 'getPastTotalSupply', opensAtSeconds)))
      }
      return BigInt(String(await read(gOpen, 'getPastVotes', voter, opensAtSeconds)))
    },
    payoutOf: async (period, blockNumber) => {
      // Anybody may bring money to a period that is settled; what was there when it was settled was paid out.
      const now = () => read(claims, 'fundedOf', period)
      const then = () => read(claims, 'fundedOf', period, { blockTag: blockNumber })
      const fundedOf = BigInt(String(await (blockNumber === null ? now() : then().catch(now))))
      for (const method of ['pendingRoot', 'claimableRoot']) {
        const held = (await read(claims, method)) as {
          root: string
          period: bigint
          total: bigint
          logHead: string
        }
        if (held.period === BigInt(period))
          return { fundedOf, root: held.root, total: held.total, logHead: held.logHead }
      }
      return { fundedOf }
    },
    close: () => provider.destroy(),
  }
}
