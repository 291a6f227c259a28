import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { Contract, JsonRpcProvider, parseEther } from 'ethers'
import { type Chain, rpc, startChain } from '../../local/chain/chain.ts'
import { deployContracts, fundAccounts, initializeSettler } from '../../local/chain/deploy-contracts.ts'
import { freePort } from '../../local/ports.ts'

const CHAIN_ID = 31_338
const LIMIT_MS = 60_000
const GOVERNORS = { addresses: [1, 2, 3].map(n => `0x${String(n).repeat(40)}`), threshold: 2 }
const PERSON = `0x${'a'.repeat(40)}`

let dir: string
let chain: Chain
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'openledger-chain-'))
})
afterEach(async () => {
  await chain?.stop()
  rmSync(dir, { recursive: true, force: true })
})

async function start(port?: number, chainId = CHAIN_ID): Promise<Chain> {
  chain = await startChain({
    port: port ?? (await freePort()),
    stateDir: join(dir, 'state'),
    runDir: join(dir, 'run'),
    logDir: join(dir, 'logs'),
    chainId,
  })
  return chain
}

async function block(tag: string): Promise<{ number: number; timestamp: number; hash: string }> {
  const found = (await rpc(chain.url, 'eth_getBlockByNumber', [tag, false])) as Record<string, string>
  return { number: Number(found.number), timestamp: Number(found.timestamp), hash: found.hash! }
}

async function height(atLeast: number): Promise<void> {
  while ((await block('latest')).number < atLeast) await sleep(100)
}

const now = () => Date.now() / 1000

test(
  'blocks follow the wall clock and are final two blocks later',
  async () => {
    await start()
    expect(chain.chainId).toBe(CHAIN_ID)
    await height(3)
    const [latest, finalized] = [await block('latest'), await block('finalized')]
    expect(latest.number - finalized.number).toBeLessThanOrEqual(3)
    expect(finalized.number).toBeGreaterThan(0)
    expect(Math.abs(latest.timestamp - now())).toBeLessThan(3)
  },
  LIMIT_MS,
)

describe('over a restart', () => {
  /** What one run leaves: contracts, an account with money, a block. */
  async function leaveSomething() {
    await start()
    const contracts = await deployContracts({ rpcUrl: chain.url, governors: GOVERNORS })
    await fundAccounts({ rpcUrl: chain.url, ...contracts }, [{ address: PERSON, openWei: 7n }])
    return { contracts, last: await block('latest') }
  }

  async function expectAllThere({ contracts, last }: Awaited<ReturnType<typeof leaveSomething>>) {
    const provider = new JsonRpcProvider(chain.url)
    const open = new Contract(
      contracts.openToken,
      ['function balanceOf(address) view returns (uint256)'],
      provider,
    )
    expect(await open.getFunction('balanceOf')(PERSON)).toBe(7n)
    expect(await provider.getBalance(PERSON)).toBe(parseEther('10'))
    provider.destroy()
    expect((await block(`0x${last.number.toString(16)}`)).hash).toBe(last.hash)
    const [transfer] = (await rpc(chain.url, 'eth_getLogs', [
      {
        address: contracts.openToken,
        fromBlock: '0x0',
        topics: [null, null, `0x${PERSON.slice(2).padStart(64, '0')}`],
      },
    ])) as unknown[]
    expect(transfer).toBeDefined()
  }

  test(
    'accounts, blocks and logs are there again, and time goes on with the wall clock',
    async () => {
      const left = await leaveSomething()
      await chain.stop()
      await sleep(3_000)
      await start()
      await height(left.last.number + 2)
      await expectAllThere(left)
      expect(Math.abs((await block('latest')).timestamp - now())).toBeLessThan(3)
    },
    LIMIT_MS,
  )

  test(
    'after kill -9, what the last snapshot held is there again',
    async () => {
      const left = await leaveSomething()
      await sleep(6_000)
      process.kill(chain.pid, 'SIGKILL')
      await chain.exited
      writeFileSync(join(dir, 'state/exit.json'), '{"best_block_number": 10, "acc') // torn by the kill
      await start()
      await expectAllThere(left)
    },
    LIMIT_MS,
  )
})

test(
  'a port that is taken is an error, not a chain of somebody else',
  async () => {
    const server = createServer()
    const port = await freePort()
    await new Promise<void>(done => server.listen(port, '127.0.0.1', done))
    await expect(start(port)).rejects.toThrow(/ended at start[\s\S]*in use/)
    server.close()
  },
  LIMIT_MS,
)

test(
  'contracts are deployed with gOPEN over OPEN, and the settler is named once',
  async () => {
    await start()
    const { openToken, gOpen, rewardClaims } = await deployContracts({
      rpcUrl: chain.url,
      governors: GOVERNORS,
    })
    const abi = (name: string) => JSON.parse(readFileSync(`contracts/generated/${name}.json`, 'utf8')).abi
    const provider = new JsonRpcProvider(chain.url)
    const read = (address: string, name: string, method: string, ...args: unknown[]) =>
      new Contract(address, abi(name), provider).getFunction(method)(...args)
    expect(await read(gOpen, 'GOpen', 'underlying')).toBe(openToken)
    expect(await read(rewardClaims, 'RewardClaims', 'token')).toBe(openToken)
    expect(await read(rewardClaims, 'RewardClaims', 'isGovernor', GOVERNORS.addresses[2])).toBe(true)
    await initializeSettler({ rpcUrl: chain.url, rewardClaims }, PERSON)
    await initializeSettler({ rpcUrl: chain.url, rewardClaims }, PERSON)
    expect(String(await read(rewardClaims, 'RewardClaims', 'settler')).toLowerCase()).toBe(PERSON)
    await expect(
      initializeSettler({ rpcUrl: chain.url, rewardClaims }, GOVERNORS.addresses[0]!),
    ).rejects.toThrow(/SettlerAlreadySet|revert/)
    provider.destroy()
  },
  LIMIT_MS,
)
