import { Interface, type JsonRpcProvider } from 'ethers'
import { OpenLedgerError } from '../../domain/errors.ts'
import { type Address, parseAddress } from '../../domain/protocol/hex.ts'
import type { Deposits } from '../../domain/serving/ports.ts'
import { chainProvider } from './voting-token.ts'

const ABI = new Interface(['event Funded(uint256 indexed period, address indexed from, uint256 amount)'])

/** Deposits that every endpoint has in a final block and reads alike; a lagging endpoint only delays. */
export function deposits(facts: {
  rpcUrls: readonly string[]
  chainId: number
  rewardClaims: Address
}): Deposits {
  const providers = facts.rpcUrls.map(url => chainProvider(url, facts.chainId))
  return {
    async funded(transaction, account) {
      const amounts = await allOf(
        providers.map(provider => fundedAt(provider, facts.rewardClaims, transaction, account)),
      )
      const [first] = amounts
      if (first === undefined || first === null || amounts.includes(null)) return null
      if (amounts.every(amount => amount === first)) return { amountWei: first }
      throw new OpenLedgerError('unavailable', 'The chain endpoints do not agree; try again', {
        expected: 'one answer from every endpoint',
        seen: `${new Set(amounts).size} different amounts`,
      })
    },
  }
}

/** The sum of the transaction's `Funded` events of the account; zero when there is none or it was reverted. */
async function fundedAt(
  provider: JsonRpcProvider,
  rewardClaims: Address,
  transaction: string,
  account: Address,
): Promise<bigint | null> {
  const [receipt, final] = await Promise.all([
    provider.getTransactionReceipt(transaction),
    provider.getBlock('finalized'),
  ])
  if (receipt === null || final === null || receipt.blockNumber > final.number) return null
  if (receipt.status !== 1) return 0n
  let amountWei = 0n
  for (const log of receipt.logs) {
    if (parseAddress(log.address) !== rewardClaims) continue
    const event = ABI.parseLog(log)
    if (event?.name === 'Funded' && parseAddress(event.args.from) === account)
      amountWei += BigInt(event.args.amount)
  }
  return amountWei
}

async function allOf<T>(answers: Promise<T>[]): Promise<T[]> {
  try {
    return await Promise.all(answers)
  } catch (cause) {
    throw new OpenLedgerError('unavailable', 'A chain endpoint does not answer; try again', { cause })
  }
}
