/** The contracts of a local stage, and money for its people, from the chain's one development account. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import {
  Contract,
  ContractFactory,
  HDNodeWallet,
  type InterfaceAbi,
  JsonRpcProvider,
  parseEther,
} from 'ethers'
import { DEV_MNEMONIC } from './chain.ts'

const GENERATED = join(import.meta.dirname, '../../contracts/generated')
/** Long enough for governors of a rehearsal to cancel a root, short enough to wait for. */
const DISPUTE_WINDOW_SECONDS = 5n
/** Gas for thousands of transactions. */
const GIFT_WEI = parseEther('10')
/** Blocks come every second. */
const POLLING_MS = 200

export type DeployContractsOptions = {
  rpcUrl: string
  /** Who may cancel a payout root, M of N. */
  governors: { readonly addresses: readonly string[]; readonly threshold: number }
  /** @default 5 */
  disputeWindowSeconds?: bigint
}

/** Addresses with checksum. */
export type DeployedContracts = { openToken: string; gOpen: string; rewardClaims: string }

/**
 * Deploys OPEN (its whole supply goes to the development account), gOPEN over it, and RewardClaims without a
 * settler: the payout key exists only after the stage's first deploy, see `initializeSettler`.
 */
export async function deployContracts(options: DeployContractsOptions): Promise<DeployedContracts> {
  const { rpcUrl, governors, disputeWindowSeconds = DISPUTE_WINDOW_SECONDS } = options
  return withTreasurer(rpcUrl, async treasurer => {
    // One after the other by nonce, all in the next block.
    let nonce = await treasurer.getNonce()
    const create = async (name: string, ...args: unknown[]) => {
      const { abi, bytecode } = artifact(name)
      const contract = await new ContractFactory(abi, bytecode, treasurer).deploy(...args, { nonce: nonce++ })
      return { address: await contract.getAddress(), mined: contract.waitForDeployment() }
    }
    const openToken = await create('OpenToken')
    const gOpen = await create('GOpen', openToken.address)
    const rewardClaims = await create(
      'RewardClaims',
      openToken.address,
      NO_SETTLER,
      governors.addresses,
      governors.threshold,
      disputeWindowSeconds,
    )
    await Promise.all([openToken.mined, gOpen.mined, rewardClaims.mined])
    return {
      openToken: openToken.address,
      gOpen: gOpen.address,
      rewardClaims: rewardClaims.address,
    }
  })
}

const NO_SETTLER = `0x${'0'.repeat(40)}`

/**
 * Gives the account that proposes payout roots gas for it, and names it, once a chain. Throws when another one is
 * named already.
 */
export async function initializeSettler(
  chain: { rpcUrl: string; rewardClaims: string },
  settler: string,
): Promise<void> {
  await withTreasurer(chain.rpcUrl, async treasurer => {
    const claims = new Contract(chain.rewardClaims, artifact('RewardClaims').abi, treasurer)
    const named = String(await claims.getFunction('settler')())
    if (named.toLowerCase() === settler.toLowerCase()) return
    const nonce = await treasurer.getNonce()
    const initialize = claims.getFunction('initializeSettler')
    // Asked before anything is given, since it is refused when another one is named.
    await initialize.staticCall(settler)
    const sent = [
      await treasurer.sendTransaction({ to: settler, value: GIFT_WEI, nonce }),
      await initialize(settler, { nonce: nonce + 1 }),
    ]
    await Promise.all(sent.map(transaction => transaction.wait()))
  })
}

/** Gives an account 10 ETH for gas and `openWei` base units of OPEN; resolves when both are mined. */
export async function fundAccount(
  chain: { rpcUrl: string; openToken: string },
  address: string,
  openWei: bigint,
): Promise<void> {
  await fundAccounts(chain, [{ address, openWei }])
}

/** As `fundAccount`, for several accounts within one block. */
export async function fundAccounts(
  chain: { rpcUrl: string; openToken: string },
  gifts: readonly { address: string; openWei: bigint }[],
): Promise<void> {
  await withTreasurer(chain.rpcUrl, async treasurer => {
    const open = new Contract(chain.openToken, artifact('OpenToken').abi, treasurer)
    let nonce = await treasurer.getNonce()
    const sent = []
    for (const { address, openWei } of gifts) {
      sent.push(await treasurer.sendTransaction({ to: address, value: GIFT_WEI, nonce: nonce++ }))
      if (openWei > 0n) sent.push(await open.getFunction('transfer')(address, openWei, { nonce: nonce++ }))
    }
    await Promise.all(sent.map(transaction => transaction.wait()))
  })
}

async function withTreasurer<T>(rpcUrl: string, use: (treasurer: HDNodeWallet) => Promise<T>): Promise<T> {
  const provider = new JsonRpcProvider(rpcUrl, undefined, { cacheTimeout: -1, pollingInterval: POLLING_MS })
  try {
    return await use(HDNodeWallet.fromPhrase(DEV_MNEMONIC).connect(provider))
  } finally {
    provider.destroy()
  }
}

function artifact(name: string): { abi: InterfaceAbi; bytecode: string } {
  return JSON.parse(readFileSync(join(GENERATED, `${name}.json`), 'utf8'))
}
