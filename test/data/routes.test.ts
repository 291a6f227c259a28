import { hexToBytes } from '../../domain/protocol/hex.ts'
import { verifyConsistency } from '../../domain/protocol/merkle-log.ts'
import { parseCheckpoint, parseNote } from '../../domain/protocol/signed-note.ts'
import { signTypedData } from '../../domain/protocol/typed-data.ts'
import { handler as getAccount } from '../../functions/data/get-account.ts'
import { handler as getConsistency } from '../../functions/data/get-log-consistency.ts'
import { handler as listDatanets } from '../../functions/data/list-datanets.ts'
import { handler as logGenesis } from '../../functions/data/log-genesis.ts'
import { handler as publish } from '../../functions/data/publish-log.ts'
import { handler as vouch } from '../../functions/data/vouch-account.ts'
import { deps } from '../../functions/deps.ts'
import { callRoute } from '../support/call-route.ts'
import { aDatanet, vouchFor } from '../support/data-stage.ts'
import { EMULATOR_LIMIT_MS, startTestAws, TEST_LIMIT_MS, type TestAws } from '../support/emulator.ts'
import { addressOf, aStage, walletOf } from '../support/governance-stage.ts'

const { genesis } = aStage()
let aws: TestAws
beforeAll(async () => {
  aws = await startTestAws()
  await callRoute(logGenesis)
}, EMULATOR_LIMIT_MS)
afterAll(() => aws?.stop())

test(
  'a governor vouches, raises to validator and takes it back; the last word counts',
  async () => {
    const wallet = walletOf('wes')
    const level = async () =>
      (await callRoute(getAccount, { params: { address: addressOf(wallet) } })).body.level
    expect(await level()).toBe(0)
    await vouchFor(wallet, 1, 1)
    expect(await level()).toBe(1)
    expect(await deps.accounts().validators()).toEqual([])
    await vouchFor(wallet, 2, 3)
    expect(await deps.accounts().validators()).toEqual([addressOf(wallet)])
    // An older word that arrives late changes nothing.
    await vouchFor(wallet, 0, 2)
    expect(await level()).toBe(2)
    await vouchFor(wallet, 0, 4)
    expect(await level()).toBe(0)
    expect(await deps.accounts().validators()).toEqual([])
  },
  TEST_LIMIT_MS,
)

test(
  'nobody but a governor vouches, and a nonce says one thing',
  async () => {
    const account = addressOf(walletOf('xia'))
    const signed = async (signer: string, governor: string, level: 0 | 1 | 2, nonce: number) => {
      const message = { governor: addressOf(walletOf(governor)), account, level, nonce }
      const signature = await signTypedData(walletOf(signer), genesis, 'Vouch', message)
      const { account: _account, ...body } = message
      const answer = await callRoute(vouch, { params: { address: account }, body: { ...body, signature } })
      return answer.body.code ?? answer.status
    }
    expect(await signed('mallory', 'mallory', 1, 1)).toBe('not-governor')
    expect(await signed('mallory', 'governor-1', 1, 1)).toBe('wrong-signer')
    expect(await signed('governor-1', 'governor-1', 1, 1)).toBe(200)
    const { size } = await deps.logBook().head()
    expect(await signed('governor-1', 'governor-1', 1, 1)).toBe(200)
    expect((await deps.logBook().head()).size).toBe(size)
    expect(await signed('governor-1', 'governor-1', 2, 1)).toBe('equivocation')
  },
  TEST_LIMIT_MS,
)

test(
  'Datanets are listed newest first, and opening one again is the same Datanet',
  async () => {
    const first = await aDatanet('first')
    const second = await aDatanet('second')
    const { size } = await deps.logBook().head()
    expect(await aDatanet('first')).toBe(first)
    expect((await deps.logBook().head()).size).toBe(size)
    const { body } = await callRoute(listDatanets)
    expect(body.items.map((datanet: { id: string }) => datanet.id)).toEqual([second, first])
    expect(body.items[0]).toMatchObject({ takesSubmissions: true, missingSets: [] })
  },
  TEST_LIMIT_MS,
)

test(
  'two published heads are shown to be one log',
  async () => {
    const headOf = async () => parseCheckpoint(parseNote((await deps.logBook().published())!.note).text)
    await publish()
    const first = await headOf()
    await aDatanet('another')
    await publish()
    const second = await headOf()
    const query = { first: String(first.size), second: String(second.size) }
    const { body } = await callRoute(getConsistency, { query })
    const proof = body.proof.map(hexToBytes)
    expect(verifyConsistency(first.size, second.size, first.root, second.root, proof)).toBe(true)
    const beyond = { first: '1', second: String(second.size + 1) }
    expect((await callRoute(getConsistency, { query: beyond })).body.code).toBe('not-found')
  },
  TEST_LIMIT_MS,
)
