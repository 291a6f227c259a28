/** A chain of its own for a test file: anvil on a free port, instant blocks, unlocked accounts. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { getAddress, Interface, type InterfaceAbi, JsonRpcProvider, type Log, Network } from 'ethers'
import type { ContractName } from '../../contracts/compile.ts'
import { freePort } from '../../local/ports.ts'
import { spawnGroup } from '../../local/processes.ts'

/** Anvil is up in well under a second; a busy machine may take longer. */
const START_TIMEOUT_MS = 20_000
const GAS_LIMIT = '0x1c9c380'

export interface Receipt {
  readonly events: readonly { readonly name: string; readonly args: Readonly<Record<string, unknown>> }[]
}

export class TestContract {
  readonly address: string
  readonly interface: Interface
  readonly #chain: TestChain

  constructor(chain: TestChain, address: string, abi: InterfaceAbi) {
    this.#chain = chain
    this.address = address
    this.interface = new Interface(abi)
  }

  /** Reads a view function; a single result comes without its tuple. */
  async read<T = bigint>(method: string, ...args: unknown[]): Promise<T> {
    const data = this.interface.encodeFunctionData(method, args)
    const answer = (await this.#chain.rpc('eth_call', [{ to: this.address, data }, 'latest'])) as string
    const result = this.interface.decodeFunctionResult(method, answer)
    return (result.length === 1 ? result[0] : result) as T
  }

  /** Sends a transaction. @throws Error whose message begins with the name of the contract's error */
  async send(from: string, method: string, ...args: unknown[]): Promise<Receipt> {
    const data = this.interface.encodeFunctionData(method, args)
    try {
      const logs = await this.#chain.transact({ from, to: this.address, data })
      const events = logs.flatMap(log => {
        const parsed = this.interface.parseLog(log)
        return parsed === null ? [] : [{ name: parsed.name, args: parsed.args.toObject() }]
      })
      return { events }
    } catch (cause) {
      const revert = revertData(cause)
      const error = revert === undefined ? null : this.interface.parseError(revert)
      if (error === null) throw cause
      throw new Error(`${error.name}(${error.args.join(', ')})`)
    }
  }
}

/** The revert data of an eth_call, as ethers hands it on. */
function revertData(error: unknown): string | undefined {
  const { data } = error as { data?: unknown }
  return typeof data === 'string' && data.startsWith('0x') ? data : undefined
}

export class TestChain {
  readonly chainId: number
  readonly accounts: readonly string[]
  readonly #provider: JsonRpcProvider
  readonly #stop: () => Promise<void>

  constructor(
    provider: JsonRpcProvider,
    chainId: number,
    accounts: readonly string[],
    stop: () => Promise<void>,
  ) {
    this.#provider = provider
    this.chainId = chainId
    this.accounts = accounts
    this.#stop = stop
  }

  rpc(method: string, params: readonly unknown[] = []): Promise<unknown> {
    return this.#provider.send(method, [...params])
  }

  async transact(tx: { from: string; to?: string; data: string }): Promise<readonly Log[]> {
    // A dry run first: it answers a revert with its data, which a mined receipt does not hold.
    await this.rpc('eth_call', [{ ...tx, gas: GAS_LIMIT }, 'latest'])
    return (await this.#mine(tx)).logs
  }

  async #mine(tx: { from: string; to?: string; data: string }) {
    const hash = await this.rpc('eth_sendTransaction', [{ ...tx, gas: GAS_LIMIT }])
    for (;;) {
      const receipt = (await this.rpc('eth_getTransactionReceipt', [hash])) as {
        status: string
        logs: Log[]
        contractAddress: string
      } | null
      if (receipt === null) {
        await sleep(5)
        continue
      }
      if (receipt.status !== '0x1') throw new Error('the transaction failed')
      return receipt
    }
  }

  async deploy(from: string, name: ContractName, ...args: unknown[]): Promise<TestContract> {
    const path = new URL(`../../contracts/generated/${name}.json`, import.meta.url)
    const artifact = JSON.parse(readFileSync(path, 'utf8')) as { abi: InterfaceAbi; bytecode: string }
    const encoded = new Interface(artifact.abi).encodeDeploy(args)
    const data = artifact.bytecode + encoded.slice(2)
    const call = { from, data }
    try {
      await this.rpc('eth_call', [{ ...call, gas: GAS_LIMIT }, 'latest'])
    } catch (cause) {
      const revert = revertData(cause)
      const error = revert === undefined ? null : new Interface(artifact.abi).parseError(revert)
      throw error === null ? cause : new Error(`${error.name}(${error.args.join(', ')})`)
    }
    const { contractAddress } = await this.#mine(call)
    return new TestContract(this, contractAddress, artifact.abi)
  }

  async now(): Promise<number> {
    const block = (await this.rpc('eth_getBlockByNumber', ['latest', false])) as { timestamp: string }
    return Number(block.timestamp)
  }

  /** Lets time pass and mines a block at its end. */
  async pass(seconds: number): Promise<void> {
    await this.rpc('evm_increaseTime', [seconds])
    await this.rpc('evm_mine')
  }

  /** Runs `body` on the chain as it is now and takes back whatever it did. */
  async inSnapshot<T>(body: () => Promise<T>): Promise<T> {
    const id = await this.rpc('evm_snapshot')
    try {
      return await body()
    } finally {
      await this.rpc('evm_revert', [id])
    }
  }

  async stop(): Promise<void> {
    this.#provider.destroy()
    await this.#stop()
  }
}

function anvilBinary(): string {
  // The package's launcher is a Node script around this binary; without it there is one process to stop.
  const require = createRequire(import.meta.url)
  const arch = process.arch === 'x64' ? 'amd64' : process.arch
  const manifest = require.resolve(`@foundry-rs/anvil-${process.platform}-${arch}/package.json`)
  const { bin } = require(manifest) as { bin: Record<string, string> }
  return join(manifest, '..', Object.values(bin)[0]!)
}

/** Starts a chain with ten rich accounts. */
export async function startTestChain(): Promise<TestChain> {
  const folder = mkdtempSync(join(tmpdir(), 'openledger-anvil-'))
  const port = await freePort()
  // A chain id of its own shows when the port turns out to be somebody else's chain.
  const chainId = 100_000 + port
  const group = spawnGroup({
    name: 'test-anvil',
    command: anvilBinary(),
    args: ['--host', '127.0.0.1', '--port', String(port), '--chain-id', String(chainId), '--silent'],
    logFile: join(folder, 'anvil.log'),
    runDir: folder,
  })
  const stop = async () => {
    await group.stop()
    rmSync(folder, { recursive: true, force: true })
  }
  const url = `http://127.0.0.1:${port}`
  const provider = new JsonRpcProvider(url, Network.from(chainId), {
    staticNetwork: true,
    batchMaxCount: 1,
    cacheTimeout: -1,
  })
  for (const giveUpAt = Date.now() + START_TIMEOUT_MS; ; ) {
    try {
      const response = await fetch(url, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'eth_chainId', params: [] }),
      })
      const { result } = (await response.json()) as { result: string }
      if (Number(result) !== chainId) throw new Error(`port ${port} answers as chain ${Number(result)}`)
      break
    } catch (cause) {
      if (Date.now() > giveUpAt) {
        await stop()
        throw new Error('anvil did not come up', { cause })
      }
      await sleep(50)
    }
  }
  // Checksummed, as decoded answers and events spell addresses.
  const accounts = ((await provider.send('eth_accounts', [])) as string[]).map(getAddress)
  return new TestChain(provider, chainId, accounts, stop)
}
