import { readCurated } from '../../domain/data/curated-object.ts'
import { hashListKey, manifestKey } from '../../domain/data/freeze-datanet.ts'
import { type Bytes32, hexToBytes, type Sha256Hex } from '../../domain/protocol/hex.ts'
import { documentId } from '../../domain/protocol/ids.ts'
import { datasetPart, recordHash, recordSalt } from '../../domain/protocol/record-hash.ts'
import { recordProof } from '../../domain/protocol/record-proof.ts'
import { handler as check } from '../../functions/data/check-dataset.ts'
import { handler as freeze } from '../../functions/data/freeze-datanet.ts'
import { handler as getDataset } from '../../functions/data/get-frozen-dataset.ts'
import { handler as getLogProof } from '../../functions/data/get-log-proof.ts'
import { handler as getProof } from '../../functions/data/get-submission-proof.ts'
import { handler as logGenesis } from '../../functions/data/log-genesis.ts'
import { handler as publish } from '../../functions/data/publish-log.ts'
import { deps } from '../../functions/deps.ts'
import { verifyRecord } from '../../verify/index.ts'
import { callRoute } from '../support/call-route.ts'
import { someRecords } from '../support/contributions.ts'
import { aDatanet, contribute, vouchFor } from '../support/data-stage.ts'
import { EMULATOR_LIMIT_MS, startTestAws, TEST_LIMIT_MS, type TestAws } from '../support/emulator.ts'
import { addressOf, aStage, walletOf } from '../support/governance-stage.ts'

const { genesis } = aStage()
let aws: TestAws
beforeAll(async () => {
  aws = await startTestAws()
  await callRoute(logGenesis)
}, EMULATOR_LIMIT_MS)
afterAll(() => aws?.stop())

/** Two vetted contributors with two groups each, and one whom nobody vouched for. */
async function aFilledDatanet(name: string): Promise<Bytes32> {
  const datanetId = await aDatanet(name)
  for (const own of ['ann', 'bob']) {
    await vouchFor(walletOf(`${name} ${own}`))
    const records = [...someRecords(14, `${name} ${own} one`), ...someRecords(2, `${name} ${own} two`)]
    await contribute(datanetId, walletOf(`${name} ${own}`), records)
  }
  await contribute(datanetId, walletOf(`${name} cat`), someRecords(3, `${name} cat`))
  return datanetId
}
const frozen = async (datanetId: Bytes32) => (await callRoute(freeze, { params: { id: datanetId } })).body
const trainOf = async (id: string) =>
  Buffer.from((await deps.dataFiles().get(`frozen/${id}/train.jsonl`))!)
    .toString()
    .trimEnd()
    .split('\n')
    .map(line => JSON.parse(line))
const publicText = async (key: string) => Buffer.from((await deps.publicFiles().get(key))!).toString()

test(
  'freezing splits what was accepted into parts whose published hashes give the roots',
  async () => {
    const datanetId = await aFilledDatanet('split')
    const { id, manifest } = await frozen(datanetId)
    expect(manifest.trainRecords + manifest.devRecords + manifest.leftOutRecords).toBe(35)
    expect(manifest.devRecords).toBeGreaterThan(0)
    const lists = await Promise.all(
      (['train', 'dev'] as const).map(async part =>
        (await publicText(hashListKey(id, part))).trimEnd().split('\n'),
      ),
    )
    expect(datasetPart(lists[0] as Sha256Hex[]).root).toBe(manifest.trainRoot)
    expect(datasetPart(lists[1] as Sha256Hex[]).root).toBe(manifest.devRoot)
    expect(new Set(lists.flat()).size).toBe(manifest.trainRecords + manifest.devRecords)
    const lines = await trainOf(id)
    expect(lines.map(line => line.id).sort()).toEqual(lists[0])
    expect(lines[0]!.messages.map((message: { role: string }) => message.role)).toEqual([
      'system',
      'user',
      'assistant',
    ])
    expect(lines[0]!.messages[0].content).toBe('Name the thing.')
    const byContributor = Object.fromEntries(
      [...new Set(lines.map(line => line.contributor))].map(own => [
        own,
        lines.filter(line => line.contributor === own).length,
      ]),
    )
    expect(byContributor).toEqual(manifest.contributors)
    expect(documentId(JSON.parse(await publicText(manifestKey(id))))).toBe(id)
  },
  TEST_LIMIT_MS,
)

test(
  'freezing again is the same dataset and one leaf, until something new is accepted',
  async () => {
    const datanetId = await aFilledDatanet('again')
    const [one, two] = await Promise.all([frozen(datanetId), frozen(datanetId)])
    expect(two.id).toBe(one.id)
    const { size } = await deps.logBook().head()
    expect((await frozen(datanetId)).id).toBe(one.id)
    expect((await deps.logBook().head()).size).toBe(size)
    await contribute(datanetId, walletOf('again ann'), someRecords(4, 'again later'), 2)
    const later = await frozen(datanetId)
    expect(later.id).not.toBe(one.id)
    expect(later.manifest.logSize).toBeGreaterThan(one.manifest.logSize)
    // The earlier dataset is still the one that was frozen then.
    expect(await check({ datasetId: one.id, trainRoot: one.manifest.trainRoot })).toMatchObject({ ok: true })
    expect((await callRoute(getDataset, { params: { id: one.id } })).body).toMatchObject({
      id: one.id,
      manifest: one.manifest,
    })
  },
  TEST_LIMIT_MS,
)

test(
  'the check names the part to train on, and fails on another root or other bytes',
  async () => {
    const datanetId = await aFilledDatanet('check')
    const { id, manifest } = await frozen(datanetId)
    const event = { datasetId: id, trainRoot: manifest.trainRoot }
    const { trainKey, records, contributors } = await check(event)
    expect({ records, contributors }).toEqual({
      records: manifest.trainRecords,
      contributors: manifest.contributors,
    })
    const changed = { code: 'dataset-changed', name: 'dataset-changed' }
    await expect(check({ ...event, trainRoot: '0'.repeat(64) })).rejects.toMatchObject(changed)
    const bytes = (await deps.dataFiles().get(trainKey))!
    const text = Buffer.from(bytes).toString()
    await deps
      .dataFiles()
      .put(trainKey, Buffer.from(text.replace('retrieve', 'deceive')), 'application/jsonl')
    await expect(check(event)).rejects.toMatchObject(changed)
    await deps.dataFiles().put(trainKey, bytes, 'application/jsonl')
    expect(await check(event)).toMatchObject({ ok: true })
    for await (const submission of deps.submissions().all(datanetId)) {
      const { key } = submission.outcome!.object!
      const curated = Buffer.from((await deps.dataFiles().get(key))!).toString()
      await deps.dataFiles().put(key, Buffer.from(curated.replace('Service', 'Servant')), 'application/jsonl')
    }
    await expect(check(event)).rejects.toMatchObject(changed)
  },
  TEST_LIMIT_MS,
)

test(
  'with only unvetted accounts there is nothing to train on',
  async () => {
    const datanetId = await aDatanet('unvetted')
    await contribute(datanetId, walletOf('dora'), someRecords(5, 'dora'))
    const answer = await callRoute(freeze, { params: { id: datanetId } })
    expect(answer).toMatchObject({ status: 409, body: { code: 'conflict' } })
  },
  TEST_LIMIT_MS,
)

test(
  'who holds a record proves offline in which part it is, and that another is in none',
  async () => {
    const datanetId = await aFilledDatanet('proof')
    const { id, manifest, proof } = await frozen(datanetId)
    await publish()
    const logKey = await deps.logHeadKey()
    const lists = await Promise.all(
      (['train', 'dev'] as const).map(async part =>
        (await publicText(hashListKey(id, part))).trimEnd().split('\n'),
      ),
    )
    const [trainHashes, devHashes] = lists as [Sha256Hex[], Sha256Hex[]]
    const leaf = new URL(proof, 'http://x').searchParams.get('leaf')!
    const datasetProof = (await callRoute(getLogProof, { query: { leaf } })).body
    const parts = new Set<string>()
    for await (const submission of deps.submissions().all(datanetId)) {
      const bytes = await deps.dataFiles().get(submission.outcome!.object!.key)
      const curated = readCurated(submission, bytes)
      const acceptedHashes = curated.map(record => record.hash)
      const logProof = (await callRoute(getProof, { params: { id: submission.id } })).body
      for (const { record, index } of curated.slice(-3)) {
        const seed = hexToBytes(submission.seed)
        const file = recordProof({
          genesis,
          record: record as never,
          index,
          seed,
          submission: { logProof, uploadedHashes: acceptedHashes, acceptedHashes },
          dataset: { manifest, logProof: datasetProof, trainHashes, devHashes },
        })
        const report = await verifyRecord(JSON.parse(JSON.stringify(file)), {
          genesis,
          logKey,
          datasetId: id,
        })
        expect(report).toMatchObject({ ok: true })
        const part = report.checks.at(-1)!.detail
        const hash = recordHash(recordSalt(seed, index), record)
        const expected = trainHashes.includes(hash)
          ? 'in train of'
          : devHashes.includes(hash)
            ? 'in dev of'
            : 'in no part of'
        expect(part).toContain(expected)
        parts.add(expected)
        const forged = { ...file, record: { ...record, output: 'other' } }
        expect((await verifyRecord(forged, { genesis, logKey })).ok).toBe(false)
      }
    }
    expect([...parts].sort()).toEqual(expect.arrayContaining(['in no part of', 'in train of']))
    expect(Object.keys(manifest.contributors)).toContain(addressOf(walletOf('proof ann')))
  },
  TEST_LIMIT_MS,
)
