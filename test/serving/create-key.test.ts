import { randomBytes } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { Contract, JsonRpcProvider, NonceManager, type Wallet } from 'ethers'
import { deposits } from '../../adapters/chain/deposits.ts'
import { parseAddress, parseBytes32 } from '../../domain/protocol/hex.ts'
import { signTypedData } from '../../domain/protocol/typed-data.ts'
import { keyHashOf } from '../../domain/serving/api-key.ts'
import { createKey } from '../../domain/serving/create-key.ts'
import { handler as createKeyHandler } from '../../functions/serving/create-key.ts'
import { handler as getKeyHandler } from '../../functions/serving/get-key.ts'
import { type Chain, startChain } from '../../local/chain/chain.ts'
import { type DeployedContracts, deployContracts, fundAccount } from '../../local/chain/deploy-contracts.ts'
import { freePort } from '../../local/ports.ts'
import { eventually } from '../local/sagemaker-stage.ts'
import { EMULATOR_LIMIT_MS, startTestAws, type TestAws } from '../support/emulator.ts'
import { addressOf, aStage, walletOf } from '../support/governance-stage.ts'

const CHAIN_ID = 31_337
const CONTRACTS = resolve(import.meta.dirname, '../../contracts/generated')
const { genesis } = aStage()

let aws: TestAws
let chain: Chain
let contracts: DeployedContracts
let provider: JsonRpcProvider
let folder: string
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'openledger-keys-'))
  ;[aws, chain] = await Promise.all([
    startTestAws(),
    startChain({
      port: await freePort(),
      stateDir: folder,
      runDir: join(folder, 'run'),
      logDir: folder,
      chainId: CHAIN_ID,
    }),
  ])
  const governors = { addresses: genesis.governors.addresses, threshold: 2 }
  contracts = await deployContracts({ rpcUrl: chain.url, governors })
  const facts = JSON.parse(process.env.GENESIS ?? '') as Record<string, unknown>
  process.env.GENESIS = JSON.stringify({
    ...facts,
    rewardClaims: contracts.rewardClaims,
    rpcUrls: [chain.url],
  })
  provider = new JsonRpcProvider(chain.url, CHAIN_ID, {
    staticNetwork: true,
    pollingInterval: 100,
    cacheTimeout: -1,
  })
}, EMULATOR_LIMIT_MS)
afterAll(async () => {
  provider?.destroy()
  await Promise.all([aws?.stop(), chain?.stop()])
  rmSync(folder, { recursive: true, force: true })
}, 30_000)

const contract = (name: string, address: string, signer: NonceManager) => {
  const { abi } = JSON.parse(readFileSync(join(CONTRACTS, `${name}.json`), 'utf8'))
  return new Contract(address, abi, signer)
}
/** Funds the period from an account that owns some OPEN; the transaction's hash. */
async function deposit(wallet: Wallet, amountWei: bigint): Promise<string> {
  await fundAccount({ rpcUrl: chain.url, openToken: contracts.openToken }, wallet.address, amountWei)
  const signer = new NonceManager(wallet.connect(provider))
  await (
    await contract('OpenToken', contracts.openToken, signer).getFunction('approve')(
      contracts.rewardClaims,
      amountWei,
    )
  ).wait()
  const sent = await contract('RewardClaims', contracts.rewardClaims, signer).getFunction('fund')(
    7n,
    amountWei,
  )
  await sent.wait()
  return sent.hash as string
}
async function aRequest(
  wallet: Wallet,
  depositTx: string,
  text = `olk_${randomBytes(32).toString('base64url')}`,
) {
  const message = {
    account: addressOf(wallet),
    keyHash: keyHashOf(text),
    depositTx: parseBytes32(depositTx),
    nonce: 1,
  }
  return { text, body: { ...message, signature: await signTypedData(wallet, genesis, 'ApiKey', message) } }
}
async function post(body: unknown) {
  const event = {
    headers: {},
    pathParameters: null,
    queryStringParameters: null,
    body: JSON.stringify(body),
    isBase64Encoded: false,
  }
  const answer = (await createKeyHandler(event as never, {} as never)) as { statusCode: number; body: string }
  return { status: answer.statusCode, ...JSON.parse(answer.body) }
}
async function getKey(apiKey: string) {
  const headers = { Authorization: `Bearer ${apiKey}` }
  const event = {
    headers,
    pathParameters: null,
    queryStringParameters: null,
    body: null,
    isBase64Encoded: false,
  }
  const answer = (await getKeyHandler(event as never, {} as never)) as { statusCode: number; body: string }
  return { status: answer.statusCode, ...JSON.parse(answer.body) }
}
/** Blocks come every second and are final two later. */
const postWhenFinal = (body: unknown) =>
  eventually('a final deposit', async () => {
    const answer = await post(body)
    return answer.status === 503 ? undefined : answer
  })

/** The chain's endpoint, but deposits of 5 OPEN are one base unit larger. */
async function aLyingEndpoint() {
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = []
    for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk)
    const headers = { 'content-type': 'application/json' }
    const answer = await fetch(chain.url, { method: 'POST', headers, body: Buffer.concat(chunks) })
    response.end((await answer.text()).replaceAll('4563918244f40000', '4563918244f40001'))
  })
  await new Promise<void>(done => server.listen(0, '127.0.0.1', done))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async stop() {
      server.closeAllConnections()
      await new Promise(done => server.close(done))
    },
  }
}

describe('buying an API key', () => {
  const ann = walletOf('ann')
  const eve = walletOf('eve')
  let depositTx: string
  beforeAll(async () => {
    depositTx = await deposit(ann, 5_000_000_000_000_000_000n)
  }, 30_000)

  test('a final deposit becomes credit, and the same request again the same key', async () => {
    const { text, body } = await aRequest(ann, depositTx)
    const key = await postWhenFinal(body)
    expect(key).toMatchObject({
      status: 200,
      account: addressOf(ann),
      creditWei: '5000000000000000000',
      reservedWei: '0',
      spentWei: '0',
    })
    expect(await post(body)).toEqual(key)
    expect(await getKey(text)).toEqual(key)
    expect(JSON.stringify(key)).not.toContain(text)
  }, 30_000)

  test('a deposit buys no second key', async () => {
    const { body } = await aRequest(ann, depositTx)
    expect(await postWhenFinal(body)).toMatchObject({ status: 409, code: 'conflict' })
  }, 30_000)

  test("nobody buys with another one's deposit", async () => {
    const own = await aRequest(eve, depositTx)
    expect(await postWhenFinal(own.body)).toMatchObject({ status: 404, code: 'not-found' })
    const forged = { ...own.body, account: addressOf(ann) }
    expect(await post(forged)).toMatchObject({ status: 401, code: 'wrong-signer' })
  }, 30_000)

  test('a signature for one key is none for another', async () => {
    const { body } = await aRequest(ann, depositTx)
    const other = { ...body, keyHash: keyHashOf(`olk_${'x'.repeat(43)}`) }
    expect(await post(other)).toMatchObject({ status: 401, code: 'wrong-signer' })
  })

  test('a transaction that is not known or not final stores nothing', async () => {
    const { text, body } = await aRequest(ann, `0x${'12'.repeat(32)}`)
    expect(await post(body)).toMatchObject({ status: 503, code: 'unavailable' })
    expect(await getKey(text)).toMatchObject({ status: 401, code: 'key-invalid' })
  })

  test('a transaction that brought no revenue buys nothing', async () => {
    const signer = new NonceManager(ann.connect(provider))
    const sent = await signer.sendTransaction({ to: eve.address, value: 1n })
    await sent.wait()
    const { body } = await aRequest(ann, sent.hash)
    expect(await postWhenFinal(body)).toMatchObject({ status: 404, code: 'not-found' })
  }, 30_000)

  test('an event of another contract is no deposit', async () => {
    const elsewhere = deposits({
      rpcUrls: [chain.url],
      chainId: CHAIN_ID,
      rewardClaims: parseAddress('0x00000000000000000000000000000000000000cc'),
    })
    expect(await elsewhere.funded(parseBytes32(depositTx), addressOf(ann))).toEqual({ amountWei: 0n })
  })

  test('endpoints that do not answer, or not alike, sell nothing', async () => {
    const liar = await aLyingEndpoint()
    const asked = (second: string) =>
      deposits({
        rpcUrls: [chain.url, second],
        chainId: CHAIN_ID,
        rewardClaims: parseAddress(contracts.rewardClaims.toLowerCase()),
      }).funded(parseBytes32(depositTx), addressOf(ann))
    expect(await asked(chain.url)).toEqual({ amountWei: 5_000_000_000_000_000_000n })
    await expect(asked('http://127.0.0.1:9')).rejects.toMatchObject({ code: 'unavailable' })
    await expect(asked(liar.url)).rejects.toMatchObject({ code: 'unavailable', seen: '2 different amounts' })
    await liar.stop()
  })

  test('the domain asks the chain only after the signature holds', async () => {
    const { body } = await aRequest(ann, depositTx)
    const asked: string[] = []
    const refused = createKey(
      {
        genesis,
        keys: { get: async () => null } as never,
        deposits: {
          async funded(transaction) {
            asked.push(transaction)
            return null
          },
        },
      },
      { ...body, nonce: 2, now: 0 },
    )
    await expect(refused).rejects.toMatchObject({ code: 'wrong-signer' })
    expect(asked).toEqual([])
  })
})
