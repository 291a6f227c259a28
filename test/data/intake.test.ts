import type { Inspection } from '../../domain/data/inspect-submission.ts'
import { openDatanet } from '../../domain/data/open-datanet.ts'
import { parseBytes32 } from '../../domain/protocol/hex.ts'
import { keccak256Hex } from '../../domain/protocol/ids.ts'
import { handler as commit } from '../../functions/data/commit-submission.ts'
import { handler as compare } from '../../functions/data/compare-records.ts'
import { handler as getDatanet } from '../../functions/data/get-datanet.ts'
import { handler as getSubmission } from '../../functions/data/get-submission.ts'
import { handler as getProof } from '../../functions/data/get-submission-proof.ts'
import { handler as inspect } from '../../functions/data/inspect-submission.ts'
import { handler as listSubmissions } from '../../functions/data/list-submissions.ts'
import { handler as logGenesis } from '../../functions/data/log-genesis.ts'
import { handler as publish } from '../../functions/data/publish-log.ts'
import { handler as register } from '../../functions/data/register-submission.ts'
import { deps } from '../../functions/deps.ts'
import { callRoute } from '../support/call-route.ts'
import { aContribution, someRecords, someTerms } from '../support/contributions.ts'
import {
  aDatanet,
  contribute,
  intake,
  put,
  registered,
  unhurried,
  usefulness,
  vouchFor,
} from '../support/data-stage.ts'
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
  'a signed upload is accepted, receipted, logged, and its proof leads to the signed head',
  async () => {
    const datanetId = await aDatanet('accepted')
    const wallet = walletOf('ann')
    expect(await vouchFor(wallet)).toMatchObject({ status: 200, body: { level: 1 } })
    const view = await contribute(datanetId, wallet, someRecords(30, 'ann'))
    expect(view).toMatchObject({
      state: 'accepted',
      acceptedRecords: 30,
      refusedRecords: {},
      reasons: [],
      sequence: 1,
    })
    expect(view.receipt).toMatchObject({
      objectDigest: view.id,
      signer: await deps.receiptSigner().address(),
    })
    await publish()
    const proof = await callRoute(getProof, { params: { id: view.id } })
    expect(proof.body.index).toBe(view.logIndex)
    expect(JSON.parse(proof.body.entry)).toMatchObject({ kind: 'submission-accepted', submissionId: view.id })
    const datanet = await callRoute(getDatanet, { params: { id: datanetId } })
    expect(datanet.body.counts).toMatchObject({
      submissions: 1,
      acceptedRecords: 30,
      outcomes: { accepted: 1 },
    })
  },
  TEST_LIMIT_MS,
)

test(
  'the same event twice, and each step again, is one outcome and one leaf',
  async () => {
    const datanetId = await aDatanet('twice')
    const contribution = await aContribution({
      genesis,
      datanetId,
      wallet: walletOf('bea'),
      records: someRecords(12, 'bea'),
    })
    const { submissionId, upload } = await registered(contribution)
    await put(upload, contribution.bytes)
    const inspection = (await inspect({ submissionId })) as Inspection
    const [one, two] = await Promise.all([
      compare({ submissionId, tag: inspection.tag }, unhurried),
      compare({ submissionId, tag: inspection.tag }, unhurried),
    ])
    expect(one.isDone || two.isDone).toBe(true)
    await Promise.all([commit({ submissionId, inspection }), commit({ submissionId, inspection })])
    const first = (await callRoute(getSubmission, { params: { id: submissionId } })).body
    const sizeBefore = (await deps.logBook().head()).size
    const again = await intake(submissionId)
    expect(again).toMatchObject({
      state: 'accepted',
      acceptedRecords: 12,
      decidedAt: first.decidedAt,
      logIndex: first.logIndex,
    })
    expect((await deps.logBook().head()).size).toBe(sizeBefore)
    const { body } = await callRoute(getDatanet, { params: { id: datanetId } })
    expect(body.counts).toMatchObject({ submissions: 1, acceptedRecords: 12, outcomes: { accepted: 1 } })
  },
  TEST_LIMIT_MS,
)

test(
  'a crash between the outcome and the leaf heals by itself',
  async () => {
    const datanetId = await aDatanet('crash')
    const contribution = await aContribution({
      genesis,
      datanetId,
      wallet: walletOf('cal'),
      records: someRecords(5, 'cal'),
    })
    const { submissionId, upload } = await registered(contribution)
    await put(upload, contribution.bytes)
    const inspection = (await inspect({ submissionId })) as Inspection
    await compare({ submissionId, tag: inspection.tag }, unhurried)
    const { commitSubmission } = await import('../../domain/data/commit-submission.ts')
    const facts = {
      datanets: deps.datanets(),
      submissions: deps.submissions(),
      records: deps.records(),
      uploads: deps.uploads(),
      data: deps.dataFiles(),
      log: { append: () => Promise.reject(new Error('the function died')) },
    }
    const input = { submissionId, inspection, now: Date.now() }
    await expect(commitSubmission(facts, input)).rejects.toThrow('the function died')
    const before = (await callRoute(getSubmission, { params: { id: submissionId } })).body
    expect(before).toMatchObject({ state: 'accepted', logIndex: null })
    const after = await intake(submissionId)
    expect(after).toMatchObject({ state: 'accepted', decidedAt: before.decidedAt })
    expect(after.logIndex).toBeGreaterThan(0)
  },
  TEST_LIMIT_MS,
)

test(
  'a comparison that stops half way goes on where it was',
  async () => {
    const datanetId = await aDatanet('half', { maxRecordsPerUnvettedAccount: 100 })
    const contribution = await aContribution({
      genesis,
      datanetId,
      wallet: walletOf('dan'),
      records: someRecords(40, 'dan'),
    })
    const { submissionId, upload } = await registered(contribution)
    await put(upload, contribution.bytes)
    const inspection = (await inspect({ submissionId })) as Inspection
    const hurried = { getRemainingTimeInMillis: () => 0 } as never
    let calls = 1
    while (!(await compare({ submissionId, tag: inspection.tag }, hurried)).isDone) calls++
    expect(calls).toBeGreaterThan(3)
    await commit({ submissionId, inspection })
    const { body } = await callRoute(getSubmission, { params: { id: submissionId } })
    expect(body).toMatchObject({ state: 'accepted', acceptedRecords: 40 })
  },
  TEST_LIMIT_MS,
)

test(
  'S3 refuses bytes other than the signed ones, a second upload, and other lengths',
  async () => {
    const datanetId = await aDatanet('presigned')
    const contribution = await aContribution({
      genesis,
      datanetId,
      wallet: walletOf('eva'),
      records: someRecords(3, 'eva'),
    })
    const { upload } = await registered(contribution)
    const signed = new URL(upload.url).searchParams.get('X-Amz-SignedHeaders')?.split(';').sort()
    expect(signed).toEqual(['content-length', 'host', 'if-none-match', 'x-amz-checksum-sha256'])
    const other = Buffer.from(contribution.bytes)
    other[5] = other[5]! ^ 1
    expect((await put(upload, other)).status).toBe(400)
    const { 'x-amz-checksum-sha256': _checksum, ...bare } = upload.headers
    expect((await put({ ...upload, headers: bare }, contribution.bytes)).status).toBe(403)
    expect((await put(upload, contribution.bytes)).status).toBe(200)
    expect((await put(upload, contribution.bytes)).status).toBe(412)
  },
  TEST_LIMIT_MS,
)

test(
  'bytes that got there by another way than the ticket are rejected by their digest',
  async () => {
    const datanetId = await aDatanet('digest')
    const contribution = await aContribution({
      genesis,
      datanetId,
      wallet: walletOf('fay'),
      records: someRecords(3, 'fay'),
    })
    const { submissionId } = await registered(contribution)
    const { files } = await import('../../adapters/s3/files.ts')
    const { S3Client } = await import('@aws-sdk/client-s3')
    const s3 = new S3Client({ forcePathStyle: true })
    const forged = Buffer.from(contribution.bytes.toString().replace('fay', 'fox'))
    await files(s3, process.env.UPLOADS_BUCKET!).put(`incoming/${submissionId}`, forged, 'application/jsonl')
    const view = await intake(submissionId)
    expect(view).toMatchObject({
      state: 'rejected',
      acceptedRecords: 0,
      reasons: [{ code: 'digest-mismatch' }],
    })
    expect(view.logIndex).toBeGreaterThan(0)
  },
  TEST_LIMIT_MS,
)

test(
  'a manifest whose count or root is not that of its bytes is rejected',
  async () => {
    const datanetId = await aDatanet('root')
    for (const [nonce, changes, code] of [
      [1, { recordCount: 4 }, 'count-mismatch'],
      [2, { recordsRoot: '0'.repeat(64) as never }, 'root-mismatch'],
    ] as const) {
      const records = someRecords(3, 'gil')
      const contribution = await aContribution({
        genesis,
        datanetId,
        wallet: walletOf('gil'),
        records,
        nonce,
        changes,
      })
      const { submissionId, upload } = await registered(contribution)
      await put(upload, contribution.bytes)
      expect(await intake(submissionId)).toMatchObject({ state: 'rejected', reasons: [{ code }] })
    }
  },
  TEST_LIMIT_MS,
)

test(
  'each refused line says why, and the rest is accepted',
  async () => {
    const datanetId = await aDatanet('lines')
    const [good, other] = someRecords(2, 'hal')
    const view = await contribute(datanetId, walletOf('hal'), [
      good,
      { instruction: 'no output here', group: 'hal' },
      { ...other!, output: '' },
      { instruction: 'WHICH name, has the sealed thing', output: 'leaked', group: 'hal' },
      ...someRecords(30, 'hal more').slice(0, 20),
    ])
    expect(view).toMatchObject({
      state: 'partly-accepted',
      acceptedRecords: 21,
      refusedRecords: { 'wrong-shape': 1, 'empty-output': 1, contamination: 1 },
    })
    expect(view.refusals.map((refusal: { line: number }) => refusal.line)).toEqual([2, 3, 4])
  },
  TEST_LIMIT_MS,
)

test(
  'copies are refused; the first is named for exact copies only',
  async () => {
    const datanetId = await aDatanet('copies')
    const records = someRecords(3, 'ida')
    const first = await contribute(datanetId, walletOf('ida'), records)
    const near = { ...records[1]!, instruction: `please ${records[1]!.instruction}` }
    const normalized = { ...records[2]!, instruction: `${records[2]!.instruction.toUpperCase()}!` }
    const view = await contribute(datanetId, walletOf('jon'), [
      records[0],
      near,
      normalized,
      ...someRecords(1, 'jon'),
    ])
    expect(view).toMatchObject({
      state: 'partly-accepted',
      acceptedRecords: 1,
      refusedRecords: { 'exact-copy': 1, 'near-copy': 1, 'normalized-copy': 1 },
    })
    const [exact, ...rest] = view.refusals
    expect(exact).toMatchObject({ code: 'exact-copy', copyOf: { submissionId: first.id, line: 1 } })
    expect(JSON.stringify(rest)).not.toContain(first.id.slice(2))
  },
  TEST_LIMIT_MS,
)

test(
  'of two submissions with the same records that race, each record is accepted once',
  async () => {
    const datanetId = await aDatanet('race')
    const records = someRecords(20, 'kim')
    const contributions = await Promise.all(
      ['kim', 'leo', 'mia'].map(name =>
        aContribution({ genesis, datanetId, wallet: walletOf(name), records }),
      ),
    )
    const ids = await Promise.all(
      contributions.map(async contribution => {
        const { submissionId, upload } = await registered(contribution)
        await put(upload, contribution.bytes)
        return submissionId
      }),
    )
    const views = await Promise.all(ids.map(intake))
    const accepted = views.map(view => view.acceptedRecords)
    expect(accepted.reduce((sum, count) => sum + count, 0)).toBe(20)
    const refused = views.map(view => view.refusedRecords['exact-copy'] ?? 0)
    expect(refused.reduce((sum, count) => sum + count, 0)).toBe(40)
  },
  TEST_LIMIT_MS,
)

test(
  'near copies that race are accepted once',
  async () => {
    const datanetId = await aDatanet('near race')
    const records = someRecords(12, 'nel')
    const changed = records.map(record => ({ ...record, instruction: `please ${record.instruction}` }))
    const both = await Promise.all(
      [records, changed].map(async (own, at) => {
        const wallet = walletOf(`racer ${at}`)
        const contribution = await aContribution({ genesis, datanetId, wallet, records: own })
        const { submissionId, upload } = await registered(contribution)
        await put(upload, contribution.bytes)
        return submissionId
      }),
    )
    const views = await Promise.all(both.map(intake))
    expect(views[0].acceptedRecords + views[1].acceptedRecords).toBe(12)
  },
  TEST_LIMIT_MS,
)

test(
  'an account that nobody vouched for has a cap',
  async () => {
    const datanetId = await aDatanet('cap', { maxRecordsPerUnvettedAccount: 4 })
    const view = await contribute(datanetId, walletOf('olu'), someRecords(7, 'olu'))
    expect(view).toMatchObject({ acceptedRecords: 4, refusedRecords: { 'unvetted-account-cap': 3 } })
    const more = await contribute(datanetId, walletOf('olu'), someRecords(2, 'olu again'), 2)
    expect(more).toMatchObject({ state: 'rejected', acceptedRecords: 0 })
  },
  TEST_LIMIT_MS,
)

test(
  'an object full of hidden text is quarantined whole',
  async () => {
    const datanetId = await aDatanet('hidden')
    const hidden = someRecords(10, 'pat').map((record, at) =>
      at < 2 ? { ...record, output: `a\u202eb${at}` } : record,
    )
    const view = await contribute(datanetId, walletOf('pat'), hidden)
    expect(view).toMatchObject({
      state: 'quarantined',
      acceptedRecords: 0,
      reasons: [{ code: 'deceptive-text' }],
    })
    expect(await deps.dataFiles().exists(`quarantine/${view.id}`)).toBe(true)
  },
  TEST_LIMIT_MS,
)

test(
  'registration refuses what was not signed by its contributor, and what the Datanet does not take',
  async () => {
    const datanetId = await aDatanet('refusals')
    const good = await aContribution({
      genesis,
      datanetId,
      wallet: walletOf('quin'),
      records: someRecords(2, 'quin'),
    })
    const refuse = async (body: object, code: string) => {
      const answer = await callRoute(register, { params: { id: datanetId }, body })
      expect(answer.body.code).toBe(code)
    }
    await refuse({ ...good.body, contributor: addressOf(walletOf('rob')) }, 'wrong-signer')
    await refuse({ ...good.body, sizeBytes: good.body.sizeBytes + 1 }, 'wrong-signer')
    const licensed = await aContribution({ ...given('quin'), changes: { license: 'GPL-3.0' } })
    await refuse(licensed.body, 'license-not-allowed')
    const late = await aContribution({ ...given('quin'), changes: { deadline: Date.now() - 1 } })
    await refuse(late.body, 'malformed')
    const large = await aContribution({ ...given('quin'), changes: { sizeBytes: 1_000_001 } })
    await refuse(large.body, 'too-large')
    const elsewhere = await aContribution({
      ...given('quin'),
      datanetId: parseBytes32(`0x${'1'.repeat(64)}`),
    })
    const answer = await callRoute(register, {
      params: { id: elsewhere.manifest.datanetId },
      body: elsewhere.body,
    })
    expect(answer.status).toBe(404)

    function given(name: string) {
      return { genesis, datanetId, wallet: walletOf(name), records: someRecords(2, name) }
    }
  },
  TEST_LIMIT_MS,
)

test(
  'a Datanet whose evaluation sets are missing takes nothing',
  async () => {
    const terms = someTerms({ sealed: '1'.repeat(64) as never, usefulness: usefulness.digest })
    const facts = { datanets: deps.datanets(), log: deps.log() }
    const { datanetId } = await openDatanet(facts, { id: keccak256Hex('closed') }, terms, Date.now())
    const one = await aContribution({
      genesis,
      datanetId,
      wallet: walletOf('sam'),
      records: someRecords(2, 'sam'),
    })
    const answer = await callRoute(register, { params: { id: datanetId }, body: one.body })
    expect(answer).toMatchObject({ status: 409, body: { code: 'datanet-not-open' } })
    const view = await callRoute(getDatanet, { params: { id: datanetId } })
    expect(view.body).toMatchObject({ takesSubmissions: false, missingSets: ['1'.repeat(64)] })
  },
  TEST_LIMIT_MS,
)

test(
  'first come is first registered: every submission has its own number, and the same manifest keeps it',
  async () => {
    const datanetId = await aDatanet('sequence')
    const contributions = await Promise.all(
      Array.from({ length: 8 }, (_, at) =>
        aContribution({
          genesis,
          datanetId,
          wallet: walletOf(`tom ${at}`),
          records: someRecords(1, `tom ${at}`),
        }),
      ),
    )
    const answers = await Promise.all(contributions.map(registered))
    expect(answers.map(answer => answer.sequence).sort((a, b) => a - b)).toEqual([1, 2, 3, 4, 5, 6, 7, 8])
    const again = await registered(contributions[3]!)
    expect(again.sequence).toBe(answers[3]!.sequence)
    const page = await callRoute(listSubmissions, { params: { id: datanetId }, query: { limit: '5' } })
    expect(page.body.items.map((item: { sequence: number }) => item.sequence)).toEqual([8, 7, 6, 5, 4])
    const rest = await callRoute(listSubmissions, {
      params: { id: datanetId },
      query: { limit: '5', cursor: page.body.cursor },
    })
    expect(rest.body.items).toHaveLength(3)
  },
  TEST_LIMIT_MS,
)
