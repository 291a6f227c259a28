import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { HDNodeWallet, Wallet } from 'ethers'
import { type Chain, DEV_MNEMONIC, startChain } from '../../local/chain/chain.ts'
import { type DeployedContracts, deployContracts, fundAccount } from '../../local/chain/deploy-contracts.ts'
import { freePort } from '../../local/ports.ts'
import { aPublishedLife } from './a-deployment.ts'
import { aDeployment, aFolder, run } from './run-cli.ts'

/** What `genesis --write` and `keys create` do on a real chain. */

const LIMIT_MS = 60_000
const CHAIN_ID = 31_339
const GOVERNORS = { addresses: [1, 2, 3].map(n => `0x${String(n).repeat(40)}`), threshold: 2 }

let dir: string
let chain: Chain
let contracts: DeployedContracts
let life: Awaited<ReturnType<typeof aPublishedLife>>
let deployment: Awaited<ReturnType<typeof aDeployment>>
let place: ReturnType<typeof aFolder>
const deployer = HDNodeWallet.fromPhrase(DEV_MNEMONIC)
const stranger = Wallet.createRandom()

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'openledger-cli-chain-'))
  chain = await startChain({
    port: await freePort(),
    stateDir: join(dir, 'state'),
    runDir: join(dir, 'run'),
    logDir: join(dir, 'logs'),
    chainId: CHAIN_ID,
  })
  contracts = await deployContracts({ rpcUrl: chain.url, governors: GOVERNORS })
  life = await aPublishedLife()
  const lower = Object.fromEntries(
    Object.entries(contracts).map(([name, address]) => [name, address.toLowerCase()]),
  )
  deployment = await aDeployment({
    ...life.answers,
    getGenesis: () => ({ ...life.facts, ...lower, chainId: CHAIN_ID, logOrigin: 'openledger' }),
    logGenesis: () => ({ index: 0, leafHash: 'ab'.repeat(32), document: {} }),
    listPayouts: () => ({ openPeriod: 3, items: [], cursor: null }),
  })
  const { baseUrl } = deployment
  place = aFolder({
    '.openledger/dev.json': JSON.stringify({ baseUrl, rpcUrl: chain.url }),
    '.openledger/offchain.json': JSON.stringify({ baseUrl }),
    'deployer.key': `${deployer.privateKey}\n`,
    'stranger.key': stranger.privateKey,
  })
}, LIMIT_MS)
afterAll(async () => {
  place?.remove()
  await deployment?.close()
  await chain?.stop()
  rmSync(dir, { recursive: true, force: true })
})

const genesis = (profile: string, ...argv: string[]) =>
  run(place.folder, ['--profile', profile, 'genesis', '--write', ...argv])

describe('genesis --write', () => {
  it('says which transaction is left to be done, and that the payout key needs gas', async () => {
    const { payout } = life.facts.signers
    for (const profile of ['dev', 'offchain']) {
      const { exit, out } = await genesis(profile)
      expect(exit).toBe(0)
      expect(out).toMatch(/^leaf 0 {6}abab/m)
      expect(out).toContain(`or send initializeSettler(${payout}) from that account`)
      expect(out).toMatch(new RegExp(`(needs|for|no) gas.*${payout}`))
    }
  })

  it('does not begin without the chain when a key is given', async () => {
    const { exit, err, out } = await genesis('offchain', '--key-file', 'deployer.key')
    expect({ exit, out }).toEqual({ exit: 1, out: '' })
    expect(err).toMatch(
      /^Naming the settler needs the chain.*\n {2}expected: "rpcUrl" in the profile offchain/,
    )
  })

  it('is refused with the key of another account than the one that deployed the contract', async () => {
    const { exit, err } = await genesis('dev', '--key-file', 'stranger.key')
    expect(exit).toBe(1)
    expect(err).toMatch(/does not let this account name the settler \(forbidden\)/)
    expect(err).toContain(`seen:     ${stranger.address}`)
  })

  it(
    'makes the payout key the settler once, and says so from then on',
    async () => {
      const { payout } = life.facts.signers
      const first = await genesis('dev', '--key-file', 'deployer.key')
      expect(first.err).toBe('')
      expect(first.out).toMatch(/^settler {5}the payout key, named by 0x[0-9a-f]{64}$/m)
      expect(first.out).toContain(`has no gas: send some of the chain's coin to ${payout}`)
      await fundAccount({ rpcUrl: chain.url, openToken: contracts.openToken }, payout, 0n)
      const again = await genesis('dev', '--json', '--key-file', 'deployer.key')
      expect(again.json()).toMatchObject({
        settler: { named: payout, payout, gasWei: '10000000000000000000', transaction: null },
      })
      expect((await genesis('dev')).out).toMatch(/^gas {9}10\.0 of the chain's coin/m)
    },
    LIMIT_MS,
  )
})

describe('keys create', () => {
  it('spends nothing when the account holds less', async () => {
    await fundAccount(
      { rpcUrl: chain.url, openToken: contracts.openToken },
      stranger.address,
      5n * 10n ** 18n,
    )
    const { exit, err, out } = await run(place.folder, [
      ...['--profile', 'dev', 'keys', 'create', '--datanet', life.datanetId],
      ...['--amount', '6', '--key-file', 'stranger.key'],
    ])
    expect({ exit, out }).toEqual({ exit: 1, out: '' })
    expect(err).toBe(
      'The account holds less OPEN than this (conflict)\n  expected: 6 OPEN\n  seen:     5 OPEN\n',
    )
  })
})
