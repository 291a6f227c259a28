import { Interface, isCallException, type JsonRpcProvider, Transaction, ZeroHash } from 'ethers'
import { OpenLedgerError } from '../../domain/errors.ts'
import type { DigestSigner } from '../../domain/governance/ports.ts'
import { type Address, type Bytes32, parseBytes32 } from '../../domain/protocol/hex.ts'
import type { ChainRoot, FinalBlock, RewardClaims } from '../../domain/rewards/ports.ts'
import { chainProvider } from './voting-token.ts'

const ROOT = '(bytes32 root, uint256 period, uint256 total, bytes32 logHead, uint256 claimableAt)'
const ABI = new Interface([
  'function fundedOf(uint256 period) view returns (uint256)',
  'function claimedOf(address account) view returns (uint256)',
  `function pendingRoot() view returns (${ROOT})`,
  `function claimableRoot() view returns (${ROOT})`,
  'function proposeRoot(uint256 period, bytes32 root, uint256 total, bytes32 logHead)',
  'event RootProposed(uint256 indexed sequence, uint256 indexed period, bytes32 root, uint256 total, bytes32 logHead, uint256 claimableAt)',
  'error NotSettler(address caller)',
  'error RootPending(uint256 claimableAt)',
  'error PeriodNotLater(uint256 settled)',
  'error TotalBelowSettled(uint256 settled)',
  'error TotalAboveFunded(uint256 funded)',
])

/** A fifth more than estimated: the storage that it meets may be colder by then. */
const GAS_MARGIN_PERCENT = 120n
/** Some blocks of a slow chain; after that the caller asks again and finds the root there. */
const MINED_WITHIN_MS = 60_000
const POLL_MS = 500
/** How far back a proposal's transaction is looked for; public endpoints refuse longer ranges. */
const SEARCH_BLOCKS = 5_000

type Provider = JsonRpcProvider

/** RewardClaims over one or more endpoints. What is read must be alike at each, at a block that each calls final. */
export function rewardClaims(facts: {
  readonly rpcUrls: readonly string[]
  readonly chainId: number
  readonly rewardClaims: Address
  /** The settler's key; only proposing needs it. */
  readonly settler: () => DigestSigner
}): RewardClaims {
  const providers = facts.rpcUrls.map(url => chainProvider(url, facts.chainId))
  const at = async (provider: Provider, blockTag: number | 'latest', method: string, args: unknown[]) => {
    const data = ABI.encodeFunctionData(method, args)
    const answer = await provider.call({ to: facts.rewardClaims, data, blockTag })
    return ABI.decodeFunctionResult(method, answer)[0] as unknown
  }
  const finalBlock = async (): Promise<FinalBlock> => {
    const newest = await everyAnswer(providers.map(provider => provider.getBlock('finalized')))
    const number = Math.min(...newest.map(block => block?.number ?? 0))
    return agreed(
      providers.map(async provider => {
        const block = await provider.getBlock(number)
        if (block?.hash == null) throw new Error(`no block ${number}`)
        return { number, hash: parseBytes32(block.hash), timestamp: block.timestamp }
      }),
    )
  }
  const read = <T>(block: FinalBlock, method: string, args: unknown[], as: (value: unknown) => T) =>
    agreed(providers.map(async provider => as(await at(provider, block.number, method, args))))

  return {
    async fundedOf(period) {
      const block = await finalBlock()
      return { amountWei: await read(block, 'fundedOf', [period], amountOf), block }
    },

    async roots() {
      const block = await finalBlock()
      const [pending, claimable] = await Promise.all([
        read(block, 'pendingRoot', [], rootOf),
        read(block, 'claimableRoot', [], rootOf),
      ])
      return { pending, claimable }
    },

    async claimedOf(account) {
      return read(await finalBlock(), 'claimedOf', [account], amountOf)
    },

    async propose(root) {
      const [provider] = providers
      if (provider === undefined)
        throw new OpenLedgerError('unavailable', 'The stage names no chain endpoint')
      const held = await everyAnswer([
        at(provider, 'latest', 'pendingRoot', []),
        at(provider, 'latest', 'claimableRoot', []),
      ])
      const isHeld = held.map(rootOf).some(one => one?.period === root.period && one.root === root.root)
      if (isHeld) return findProposal(provider, facts.rewardClaims, root)
      const data = ABI.encodeFunctionData('proposeRoot', [
        root.period,
        root.root,
        root.totalWei,
        root.logHead,
      ])
      const raw = await signedTransaction(provider, facts, data)
      return sendOnce(providers, raw)
    },
  }
}

/**
 * An EIP-1559 transaction of the settler's key. Its nonce is that of the newest block, so that a repeated one takes
 * the place of the one before and is never a second.
 */
async function signedTransaction(
  provider: Provider,
  facts: Parameters<typeof rewardClaims>[0],
  data: string,
): Promise<string> {
  const settler = facts.settler()
  const from = await settler.address()
  const [gas, nonce, fees, balance] = await everyAnswer([
    provider.estimateGas({ from, to: facts.rewardClaims, data }).catch(refused),
    provider.getTransactionCount(from, 'latest'),
    provider.getFeeData(),
    provider.getBalance(from),
  ] as const)
  const gasLimit = (gas * GAS_MARGIN_PERCENT) / 100n
  const maxFeePerGas = fees.maxFeePerGas ?? fees.gasPrice ?? 0n
  if (balance < gasLimit * maxFeePerGas)
    throw new OpenLedgerError('unavailable', 'The payout key has too little gas to publish the root', {
      expected: `at least ${gasLimit * maxFeePerGas} wei at ${from}: send it some of the chain's own coin`,
      seen: `${balance} wei`,
    })
  const transaction = Transaction.from({
    type: 2,
    chainId: facts.chainId,
    nonce,
    to: facts.rewardClaims,
    data,
    gasLimit,
    maxFeePerGas,
    maxPriorityFeePerGas: fees.maxPriorityFeePerGas ?? 0n,
  })
  transaction.signature = await settler.sign(parseBytes32(transaction.unsignedHash))
  return transaction.serialized
}

/** Hands a signed transaction to every endpoint and waits until it is in a block. */
async function sendOnce(providers: readonly Provider[], raw: string): Promise<Bytes32> {
  const hash = parseBytes32(Transaction.from(raw).hash)
  const taken = await Promise.allSettled(providers.map(provider => provider.broadcastTransaction(raw)))
  const [failure] = taken.flatMap(one => (one.status === 'rejected' ? [one.reason as unknown] : []))
  if (taken.every(one => one.status === 'rejected'))
    throw new OpenLedgerError('unavailable', 'No chain endpoint took the transaction; try again', {
      cause: failure,
    })
  for (const giveUpAt = Date.now() + MINED_WITHIN_MS; ; ) {
    const [receipt] = await everyAnswer(providers.slice(0, 1).map(one => one.getTransactionReceipt(hash)))
    if (receipt?.status === 1) return hash
    if (receipt != null)
      throw new OpenLedgerError('conflict', 'RewardClaims refused the root in its block', { seen: hash })
    if (Date.now() > giveUpAt)
      throw new OpenLedgerError('unavailable', 'The root is sent and not in a block yet; try again', {
        seen: hash,
      })
    await new Promise(wake => setTimeout(wake, POLL_MS))
  }
}

/** What the contract says no with, as a code that the machine knows. */
function refused(error: unknown): never {
  const named = isCallException(error) && error.data ? ABI.parseError(error.data) : null
  const seen = named === null ? undefined : `${named.name}(${named.args.join(', ')})`
  const facts = { cause: error, ...(seen === undefined ? {} : { seen }) }
  switch (named?.name) {
    case 'NotSettler':
      throw new OpenLedgerError('forbidden', 'The payout key is not the settler of RewardClaims', facts)
    case 'RootPending':
      throw new OpenLedgerError('unavailable', 'Another root is in dispute; try again when it pays', facts)
    case 'PeriodNotLater':
      throw new OpenLedgerError('period-settled', 'RewardClaims has settled a later period', facts)
    case 'TotalBelowSettled':
    case 'TotalAboveFunded':
      throw new OpenLedgerError('conflict', 'RewardClaims refuses the total', facts)
    default:
      throw error
  }
}

async function findProposal(
  provider: Provider,
  address: Address,
  root: Pick<ChainRoot, 'period' | 'root'>,
): Promise<Bytes32 | null> {
  const [newest] = await everyAnswer([provider.getBlockNumber()])
  const topics = ABI.encodeFilterTopics('RootProposed', [null, root.period])
  const [logs] = await everyAnswer([
    provider.getLogs({ address, topics, fromBlock: Math.max(0, (newest ?? 0) - SEARCH_BLOCKS) }),
  ])
  const found = (logs ?? []).findLast(log => ABI.parseLog(log)?.args.root === root.root)
  return found === undefined ? null : parseBytes32(found.transactionHash)
}

const amountOf = (value: unknown) => BigInt(String(value))

function rootOf(value: unknown): ChainRoot | null {
  const { root, period, total, logHead, claimableAt } = value as Record<keyof ChainRoot | 'total', unknown>
  if (root === ZeroHash) return null
  return {
    root: parseBytes32(root),
    period: Number(period),
    totalWei: amountOf(total),
    logHead: parseBytes32(logHead),
    claimableAt: Number(claimableAt) * 1_000,
  }
}

async function everyAnswer<T extends readonly unknown[]>(
  answers: T,
): Promise<{ -readonly [K in keyof T]: Awaited<T[K]> }> {
  try {
    return await Promise.all(answers)
  } catch (cause) {
    if (cause instanceof OpenLedgerError) throw cause
    throw new OpenLedgerError('unavailable', 'A chain endpoint does not answer; try again', { cause })
  }
}

async function agreed<T>(answers: readonly Promise<T>[]): Promise<T> {
  const all = await everyAnswer(answers)
  const spell = (value: T) =>
    JSON.stringify(value, (_, part: unknown) => (typeof part === 'bigint' ? String(part) : part))
  const [first] = all
  if (first === undefined || new Set(all.map(spell)).size !== 1)
    throw new OpenLedgerError('unavailable', 'The chain endpoints do not agree; try again', {
      expected: 'one answer from every endpoint',
      seen: `${new Set(all.map(spell)).size} different answers`,
    })
  return first
}
