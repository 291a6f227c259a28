import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Contract, JsonRpcProvider } from 'ethers'
import { rewardClaims } from '../../adapters/chain/reward-claims.ts'
import type { Client } from '../../api/client.ts'
import { claim } from '../../cli/actions/claim.ts'
import { deposit } from '../../cli/actions/deposit.ts'
import type { Session } from '../../cli/actions/session.ts'
import { parseAddress } from '../../domain/protocol/hex.ts'
import { keccak256Hex } from '../../domain/protocol/ids.ts'
import { payoutTree } from '../../domain/protocol/payout-tree.ts'
import type { RewardClaims } from '../../domain/rewards/ports.ts'
import { type Chain, startChain } from '../../local/chain/chain.ts'
import {
  type DeployedContracts,
  deployContracts,
  fundAccount,
  initializeSettler,
} from '../../local/chain/deploy-contracts.ts'
import { freePort } from '../../local/ports.ts'
import { eventually } from '../local/sagemaker-stage.ts'
import { addressOf, memorySigner, walletOf } from '../support/governance-stage.ts'

const CHAIN_ID = 31_339
/** Blocks come every second, and are final two later. */
const SLOW_MS = 90_000
const PERIOD = 20_000
const logHead = keccak256Hex('a log head')
const settler = memorySigner('payout key')
const [holder, ann, ben] = ['holder', 'ann', 'ben'].map(walletOf) as [
  ReturnType<typeof walletOf>,
  ReturnType<typeof walletOf>,
  ReturnType<typeof walletOf>,
]

let chain: Chain
let contracts: DeployedContracts
let provider: JsonRpcProvider
let folder: string
let claims: RewardClaims
const claimsOf = (key = settler, rpcUrls = [chain.url]) =>
  rewardClaims({
    rpcUrls,
    chainId: CHAIN_ID,
    rewardClaims: parseAddress(contracts.rewardClaims.toLowerCase()),
    settler: () => key,
  })
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'openledger-claims-'))
  chain = await startChain({
    port: await freePort(),
    stateDir: join(folder, 'state'),
    runDir: join(folder, 'run'),
    logDir: folder,
    chainId: CHAIN_ID,
  })
  const governors = { addresses: ['g1', 'g2'].map(name => walletOf(name).address), threshold: 2 }
  contracts = await deployContracts({ rpcUrl: chain.url, governors, disputeWindowSeconds: 4n })
  provider = new JsonRpcProvider(chain.url, CHAIN_ID, {
    staticNetwork: true,
    pollingInterval: 100,
    cacheTimeout: -1,
  })
  claims = claimsOf()
}, SLOW_MS)
afterAll(async () => {
  provider?.destroy()
  await chain?.stop()
  rmSync(folder, { recursive: true, force: true })
}, SLOW_MS)

/** A service that knows just these answers. */
function aSession(answers: Record<string, () => Promise<unknown>>): Session {
  const call = (operation: string) => {
    const answer = answers[operation]
    if (answer === undefined) throw new Error(`nobody answers ${operation}`)
    return answer()
  }
  return {
    client: { call } as unknown as Client,
    genesis: { openToken: contracts.openToken, rewardClaims: contracts.rewardClaims } as Session['genesis'],
    bound: {} as Session['bound'],
  }
}
const balanceOf = async (address: string) => {
  const { abi } = JSON.parse(readFileSync('contracts/generated/OpenToken.json', 'utf8'))
  return BigInt(
    String(await new Contract(contracts.openToken, abi, provider).getFunction('balanceOf')(address)),
  )
}
const tree = payoutTree([
  { account: addressOf(ann), cumulativeAmount: 700n },
  { account: addressOf(ben), cumulativeAmount: 100n },
])
const root = { root: tree.root, period: PERIOD, totalWei: 800n, logHead }

test(
  'a deposit is revenue of the open period once its block is final',
  async () => {
    await fundAccount({ rpcUrl: chain.url, openToken: contracts.openToken }, holder.address, 5_000n)
    const session = aSession({ listPayouts: async () => ({ openPeriod: PERIOD }) })
    const paid = await deposit(session, holder.connect(provider), { datanetId: '0x', amountWei: 1_000n })
    expect(paid.period).toBe(PERIOD)
    const { amountWei, block } = await eventually('a final deposit', async () => {
      const funded = await claims.fundedOf(PERIOD)
      return funded.amountWei > 0n ? funded : undefined
    })
    expect(amountWei).toBe(1_000n)
    expect((await provider.getBlock(block.number))?.hash).toBe(block.hash)
    expect((await claims.fundedOf(PERIOD + 1)).amountWei).toBe(0n)
  },
  SLOW_MS,
)

test(
  'only the settler proposes, and only with gas of its own',
  async () => {
    await expect(claims.propose(root)).rejects.toMatchObject({ code: 'forbidden' })
    await initializeSettler(
      { rpcUrl: chain.url, rewardClaims: contracts.rewardClaims },
      await settler.address(),
    )
    const balance = await provider.getBalance(await settler.address())
    await provider.send('anvil_setBalance', [await settler.address(), '0x1'])
    await expect(claims.propose(root)).rejects.toMatchObject({
      code: 'unavailable',
      message: 'The payout key has too little gas to publish the root',
    })
    await provider.send('anvil_setBalance', [await settler.address(), `0x${balance.toString(16)}`])
    await expect(claims.propose({ ...root, totalWei: 1_001n })).rejects.toMatchObject({ code: 'conflict' })
  },
  SLOW_MS,
)

test(
  'a root is proposed once, waits for its window, and then pays exactly the leaf',
  async () => {
    const transaction = await claims.propose(root)
    expect(await claims.propose(root)).toBe(transaction)
    const later = { ...root, period: PERIOD + 1, totalWei: 801n, root: keccak256Hex('another root') }
    await expect(claims.propose(later)).rejects.toMatchObject({ code: 'unavailable' })

    const { claimable } = await eventually('the root pays', async () => {
      const roots = await claims.roots()
      return roots.claimable === null ? undefined : roots
    })
    expect(claimable).toMatchObject({ root: tree.root, period: PERIOD, totalWei: 800n, logHead })
    const proof = {
      period: PERIOD,
      root: tree.root,
      cumulativeWei: '700',
      siblings: tree.proof(addressOf(ann)),
    }
    const claimedBefore = await claims.claimedOf(addressOf(ann))
    const session = aSession({ getRewards: async () => ({ proof, claimableWei: '700', pending: null }) })
    await fundAccount({ rpcUrl: chain.url, openToken: contracts.openToken }, ann.address, 0n)
    const before = await balanceOf(ann.address)
    await claim(session, ann.connect(provider), ann.address)
    expect((await balanceOf(ann.address)) - before).toBe(700n)
    await claim(session, ann.connect(provider), ann.address)
    expect((await balanceOf(ann.address)) - before).toBe(700n)
    expect(claimedBefore).toBe(0n)
    await eventually('a final claim', async () =>
      (await claims.claimedOf(addressOf(ann))) === 700n ? true : undefined,
    )
    await expect(claims.propose({ ...later, period: PERIOD - 1 })).rejects.toMatchObject({
      code: 'period-settled',
    })
  },
  SLOW_MS,
)

test('nothing to claim is said, and nothing is sent', async () => {
  const session = aSession({ getRewards: async () => ({ proof: null, claimableWei: '0', pending: null }) })
  await expect(claim(session, ben.connect(provider), ben.address)).rejects.toMatchObject({
    code: 'not-found',
  })
})

test('an endpoint that does not answer is not believed', async () => {
  const lagging = claimsOf(settler, [chain.url, 'http://127.0.0.1:9'])
  await expect(lagging.fundedOf(PERIOD)).rejects.toMatchObject({ code: 'unavailable' })
})
