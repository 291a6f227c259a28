import { Contract, JsonRpcProvider } from 'ethers'
import { OpenLedgerError } from '../../domain/errors.ts'
import type { VotingToken } from '../../domain/governance/ports.ts'
import type { SnapshotBlock } from '../../domain/governance/proposal.ts'
import { type Address, parseAddress, parseBytes32 } from '../../domain/protocol/hex.ts'

const ABI = [
  'function getPastVotes(address account, uint256 timepoint) view returns (uint256)',
  'function getPastTotalSupply(uint256 timepoint) view returns (uint256)',
  'function getVotes(address account) view returns (uint256)',
  'function balanceOf(address account) view returns (uint256)',
  'function delegates(address account) view returns (address)',
]
const NO_DELEGATE = '0x0000000000000000000000000000000000000000'

/** A provider of one endpoint. The network is given, so that no call is spent on asking for it. */
export function chainProvider(url: string, chainId: number): JsonRpcProvider {
  return new JsonRpcProvider(url, chainId, {
    staticNetwork: true,
    batchMaxCount: 100,
    // What is asked in the same turn of the event loop still goes in one call; nothing waits for company.
    batchStallTime: 0,
    cacheTimeout: -1,
  })
}

/**
 * gOPEN over one or more endpoints that must agree on every answer. An unreachable or disagreeing endpoint is
 * `unavailable`: nothing is stored and the caller may try again.
 */
export function votingToken(facts: {
  rpcUrls: readonly string[]
  chainId: number
  gOpen: Address
}): VotingToken {
  const providers = facts.rpcUrls.map(url => chainProvider(url, facts.chainId))
  const tokens = providers.map(provider => new Contract(facts.gOpen, ABI, provider))

  /** The newest final block that every endpoint has, with the same hash at each. */
  const finalizedBlock = async (): Promise<SnapshotBlock> => {
    const heights = await agreeLater(
      providers.map(async provider => (await provider.getBlock('finalized'))?.number),
    )
    const number = Math.min(...heights.map(height => height ?? 0))
    return agree(
      providers.map(async provider => {
        const block = await provider.getBlock(number)
        if (block?.hash == null) throw new Error(`no block ${number}`)
        return { number: block.number, hash: parseBytes32(block.hash), timestamp: block.timestamp }
      }),
    )
  }
  const read = (method: string, args: unknown[], block: SnapshotBlock): Promise<unknown> =>
    agree(tokens.map(token => token.getFunction(method)(...args, { blockTag: block.number })))

  return {
    finalizedBlock,
    pastVotes: async (voter, timepoint, block) =>
      BigInt(String(await read('getPastVotes', [voter, timepoint], block))),
    pastTotalSupply: async (timepoint, block) =>
      BigInt(String(await read('getPastTotalSupply', [timepoint], block))),
    async votesNow(address) {
      const block = await finalizedBlock()
      const [votes, balance, delegate] = await Promise.all([
        read('getVotes', [address], block),
        read('balanceOf', [address], block),
        read('delegates', [address], block),
      ])
      return {
        votesWei: BigInt(String(votes)),
        balanceWei: BigInt(String(balance)),
        delegate: delegate === NO_DELEGATE ? null : parseAddress(delegate),
        block,
      }
    },
  }
}

async function agreeLater<T>(answers: Promise<T>[]): Promise<T[]> {
  try {
    return await Promise.all(answers)
  } catch (cause) {
    throw new OpenLedgerError('unavailable', 'A chain endpoint does not answer; try again', { cause })
  }
}

async function agree<T>(answers: Promise<T>[]): Promise<T> {
  const all = await agreeLater(answers)
  const texts = new Set(
    all.map(answer =>
      JSON.stringify(answer, (_, value) => (typeof value === 'bigint' ? String(value) : value)),
    ),
  )
  const [first] = all
  if (texts.size !== 1 || first === undefined) {
    throw new OpenLedgerError('unavailable', 'The chain endpoints do not agree; try again', {
      expected: 'one answer from every endpoint',
      seen: `${texts.size} different answers`,
    })
  }
  return first
}
