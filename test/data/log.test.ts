import { appendLeaves } from '../../domain/data/append-leaves.ts'
import { proveConsistency, proveLeaf } from '../../domain/data/prove-leaf.ts'
import { publishLog } from '../../domain/data/publish-log.ts'
import { hexToBytes } from '../../domain/protocol/hex.ts'
import { keccak256Hex, sha256Hex } from '../../domain/protocol/ids.ts'
import { leafHash, verifyConsistency, verifyInclusion } from '../../domain/protocol/merkle-log.ts'
import {
  parseCheckpoint,
  parseNote,
  parseVerifierKey,
  verifyNote,
} from '../../domain/protocol/signed-note.ts'
import { handler as getCheckpoint } from '../../functions/data/get-log-checkpoint.ts'
import { handler as logGenesis } from '../../functions/data/log-genesis.ts'
import { handler as publish } from '../../functions/data/publish-log.ts'
import { deps } from '../../functions/deps.ts'
import { callRoute } from '../support/call-route.ts'
import { EMULATOR_LIMIT_MS, startTestAws, TEST_LIMIT_MS, type TestAws } from '../support/emulator.ts'

let aws: TestAws
beforeAll(async () => {
  aws = await startTestAws()
}, EMULATOR_LIMIT_MS)
afterAll(() => aws?.stop())

const leaf = (name: string) => ({
  kind: 'vote',
  proposalId: keccak256Hex(name),
  outcome: 'passed',
  ballotFile: sha256Hex(name),
})
const headOf = (note: string) => parseCheckpoint(parseNote(note).text)
const facts = () => ({ log: deps.logBook(), files: deps.publicFiles() })

test(
  'nothing is logged before the genesis document',
  async () => {
    await expect(deps.log().append(leaf('early'))).rejects.toMatchObject({ code: 'unavailable' })
  },
  TEST_LIMIT_MS,
)

test(
  'the genesis document is leaf 0, once',
  async () => {
    const first = await callRoute(logGenesis)
    const again = await callRoute(logGenesis)
    expect(first).toMatchObject({
      status: 200,
      body: { index: 0, document: { kind: 'genesis', chainId: 31337 } },
    })
    expect(again.body).toEqual(first.body)
    await expect(deps.log().append({ ...first.body.document, stage: 'other' })).rejects.toMatchObject({
      code: 'conflict',
    })
  },
  TEST_LIMIT_MS,
)

test(
  'a leaf of no known kind is refused',
  async () => {
    await expect(deps.log().append({ kind: 'gossip' })).rejects.toMatchObject({ code: 'malformed' })
  },
  TEST_LIMIT_MS,
)

test(
  'a leaf that is appended again keeps its index',
  async () => {
    const { index } = await deps.log().append(leaf('one'))
    await deps.log().append(leaf('two'))
    expect((await deps.log().append(leaf('one'))).index).toBe(index)
    expect((await deps.logBook().head()).size).toBe(3)
  },
  TEST_LIMIT_MS,
)

test(
  'appenders who race make one chain: every leaf once, every index once',
  async () => {
    const before = (await deps.logBook().head()).size
    const names = Array.from({ length: 16 }, (_, at) => `racing ${at}`)
    const indexes = await Promise.all(
      [...names, ...names].map(async name => [name, (await deps.log().append(leaf(name))).index] as const),
    )
    const byName = new Map(indexes)
    for (const [name, index] of indexes) expect(byName.get(name)).toBe(index)
    expect([...new Set(byName.values())].sort((a, b) => a - b)).toEqual(names.map((_, at) => before + at))
    expect((await deps.logBook().head()).size).toBe(before + names.length)
  },
  TEST_LIMIT_MS,
)

test(
  'what is published verifies offline: the head by its key, each leaf by its proof',
  async () => {
    await publish()
    const { body } = await callRoute(getCheckpoint)
    const key = parseVerifierKey(await deps.logHeadKey())
    expect(verifyNote(parseNote(body.checkpoint), [key])).toEqual([deps.logOrigin()])
    const head = headOf(body.checkpoint)
    expect(head.size).toBe((await deps.logBook().head()).size)
    const file = await deps.publicFiles().get('log/checkpoint')
    expect(Buffer.from(file!).toString()).toBe(body.checkpoint)
    for (const entry of await deps.logBook().entries(0, head.size)) {
      const hash = Buffer.from(leafHash(entry)).toString('hex')
      const proof = await proveLeaf(facts(), hash as never)
      expect(
        verifyInclusion(leafHash(entry), proof.index, head.size, proof.proof.map(hexToBytes), head.root),
      ).toBe(true)
    }
  },
  TEST_LIMIT_MS,
)

test(
  'a second publication of the same log signs nothing',
  async () => {
    let signatures = 0
    const signer = {
      ...deps.logHeadSigner(),
      sign: async (message: Uint8Array) => {
        signatures++
        return deps.logHeadSigner().sign(message)
      },
    }
    const publishWith = () => publishLog({ ...facts(), signer, origin: deps.logOrigin() })
    expect(await publishWith()).toMatchObject({ signed: false })
    await deps.log().append(leaf('new'))
    expect(await publishWith()).toMatchObject({ signed: true })
    expect(await publishWith()).toMatchObject({ signed: false })
    expect(signatures).toBe(1)
  },
  TEST_LIMIT_MS,
)

test(
  'a checkpoint file that was lost after the signature is put again',
  async () => {
    await deps.publicFiles().put('log/checkpoint', Buffer.from('older'), 'text/plain')
    await publish()
    const file = await deps.publicFiles().get('log/checkpoint')
    expect(Buffer.from(file!).toString()).toBe((await deps.logBook().published())?.note)
  },
  TEST_LIMIT_MS,
)

test(
  'publishers who race leave the newest head, which extends every earlier one',
  async () => {
    const first = headOf((await deps.logBook().published())!.note)
    await Promise.all(
      Array.from({ length: 6 }, async (_, at) => {
        await deps.log().append(leaf(`between ${at}`))
        await publish()
      }),
    )
    const note = Buffer.from((await deps.publicFiles().get('log/checkpoint'))!).toString()
    const second = headOf(note)
    expect(second.size).toBe((await deps.logBook().head()).size)
    const proof = await proveConsistency(facts(), first.size, second.size)
    expect(verifyConsistency(first.size, second.size, first.root, second.root, proof.map(hexToBytes))).toBe(
      true,
    )
  },
  TEST_LIMIT_MS,
)

test(
  'the log grows over full tiles and stays provable',
  async () => {
    const leaves = Array.from({ length: 600 }, (_, at) => leaf(`bulk ${at}`))
    const [first] = await appendLeaves({ log: deps.logBook(), pause: deps.pause }, leaves)
    await publish()
    const { size, root } = headOf((await deps.logBook().published())!.note)
    expect(size).toBeGreaterThan(2 * 256)
    for (const at of [0, 1, 255, 256, 511, 599]) {
      const entry = (await deps.logBook().entries(first! + at, first! + at + 1))[0]!
      const proof = await proveLeaf(facts(), Buffer.from(leafHash(entry)).toString('hex') as never)
      expect(verifyInclusion(leafHash(entry), first! + at, size, proof.proof.map(hexToBytes), root)).toBe(
        true,
      )
    }
    expect(await deps.publicFiles().exists('log/tile/0/000')).toBe(true)
    expect(await deps.publicFiles().exists('log/tile/entries/001')).toBe(true)
  },
  TEST_LIMIT_MS,
)

test(
  'a head that does not extend the published one is never signed',
  async () => {
    const published = await deps.logBook().published()
    const size = published!.frontier.size + 1
    const forged = {
      size,
      hashes: (await deps.logBook().head()).hashes.map(hash => hash.map(byte => byte ^ 1)),
    }
    const log = { ...deps.logBook(), head: async () => forged, entries: async () => [Buffer.from('{}')] }
    const signer = {
      publicKey: () => deps.logHeadSigner().publicKey(),
      sign: () => Promise.reject(new Error('signed')),
    }
    await expect(publishLog({ log, files: deps.publicFiles(), signer, origin: 'x' })).rejects.toMatchObject({
      code: 'internal',
    })
  },
  TEST_LIMIT_MS,
)
