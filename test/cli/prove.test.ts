import { statSync } from 'node:fs'
import { signManifest } from '../../cli/actions/upload.ts'
import { keepSeed } from '../../cli/evidence/prove-record.ts'
import { readUpload } from '../../domain/data/read-upload.ts'
import { INTAKE_LIMITS } from '../../domain/data/record-profile.ts'
import { hexToBytes, parseBytes32, type Sha256Hex, sha256ToBytes32 } from '../../domain/protocol/hex.ts'
import { documentId, keccak256Hex, sha256Hex } from '../../domain/protocol/ids.ts'
import { datasetPart, recordHash, recordSalt } from '../../domain/protocol/record-hash.ts'
import { hashTypedData, messageToJson } from '../../domain/protocol/typed-data.ts'
import { aStage, walletOf } from '../support/governance-stage.ts'
import { aLog } from '../verify/a-life.ts'
import { aPublishedLife } from './a-deployment.ts'
import { aDeployment, aFolder, Refused, run } from './run-cli.ts'

/** Four lines: the second is in train, the third was refused as a copy, the fourth is in dev. */
const LINES = ['one', 'two', 'two', 'four'].map(name =>
  JSON.stringify({ group: 'g', instruction: `Name the number ${name}`, output: `n:${name}` }),
)
const JSONL = `${LINES.join('\n')}\n`
const REFUSED_LINE = 3
const datanetId = parseBytes32(keccak256Hex('a datanet'))

let deployment: Awaited<ReturnType<typeof aDeployment>>
let place: ReturnType<typeof aFolder>
let datasetId: string
beforeAll(async () => {
  const { facts } = await aPublishedLife()
  const { genesis } = aStage()
  const { body } = await signManifest({ bound: genesis } as never, walletOf('contributor'), {
    datanetId,
    jsonl: JSONL,
    license: 'MIT',
  })
  const hashes: Sha256Hex[] = []
  await readUpload([new TextEncoder().encode(JSONL)], 'instruction', INTAKE_LIMITS, body.seed, parsed => {
    if (parsed.ok) hashes.push(recordHash(recordSalt(hexToBytes(body.seed), parsed.index), parsed.record))
  })
  const accepted = hashes.filter((_, index) => index !== REFUSED_LINE - 1)
  const message = {
    datanetId,
    contributor: body.contributor,
    objectDigest: sha256ToBytes32(body.objectDigest),
    sizeBytes: body.sizeBytes,
    recordCount: body.recordCount,
    recordsRoot: sha256ToBytes32(body.recordsRoot),
    license: body.license,
    consent: keccak256Hex(body.consent),
    nonce: body.nonce,
    deadline: Date.parse(body.deadline),
  }
  const submissionId = hashTypedData(genesis, 'Submission', message)
  const others = ['a', 'b', 'c'].map(name => sha256Hex(name))
  const train = datasetPart([...accepted.slice(0, 2), ...others])
  const dev = datasetPart(accepted.slice(2))
  const manifest = {
    schema: 1,
    deploymentId: genesis.deploymentId,
    datanetId,
    logSize: 2,
    trainRoot: train.root,
    devRoot: dev.root,
    trainRecords: train.hashes.length,
    devRecords: dev.hashes.length,
    leftOutRecords: 0,
    splitBy: 'none',
    rules: { devSharePpm: 0, maxRecordsPerUnvettedAccount: 0, maxUnvettedSharePpm: 0 },
    contributors: {},
    estimatedCostUsdMicro: 0,
  }
  datasetId = documentId(manifest as never)
  const { trainRoot, devRoot, trainRecords, devRecords, logSize } = manifest
  const log = await aLog(genesis, [
    { kind: 'genesis', ...facts },
    {
      kind: 'submission-partly-accepted',
      schema: 1,
      submissionId,
      sequence: 1,
      manifest: messageToJson('Submission', message),
      signature: body.signature,
      acceptedRecords: accepted.length,
      acceptedRoot: datasetPart(accepted).root,
      refusedRecords: { 'exact-copy': 1 },
      reasons: [],
    },
    {
      kind: 'frozen-dataset',
      schema: 1,
      datasetId,
      datanetId,
      logSize,
      trainRoot,
      devRoot,
      trainRecords,
      devRecords,
    },
  ])
  const instant = '2026-01-01T00:00:00.000Z'
  const refusal = { code: 'exact-copy', expected: 'new', seen: 'old' }
  deployment = await aDeployment({
    getGenesis: () => ({ ...facts, logOrigin: 'openledger' }),
    getSubmission: () => ({
      id: submissionId,
      datanetId,
      contributor: body.contributor,
      sequence: 1,
      state: 'partly-accepted',
      objectDigest: body.objectDigest,
      sizeBytes: body.sizeBytes,
      recordCount: body.recordCount,
      license: body.license,
      registeredAt: instant,
      receivedAt: instant,
      decidedAt: instant,
      acceptedRecords: accepted.length,
      refusedRecords: { 'exact-copy': 1 },
      reasons: [],
      logIndex: 1,
      refusals: [{ ...refusal, line: REFUSED_LINE }],
      receipt: null,
      acceptedRoot: datasetPart(accepted).root,
      proof: null,
    }),
    getSubmissionProof: () => log.proofAt(1),
    getFrozenDataset: ({ params }) => {
      if (params.id !== datasetId) throw new Refused(404, 'not-found')
      const files = { manifest: 'm', trainHashes: 'train', devHashes: 'dev' }
      return { id: datasetId, frozenAt: instant, logIndex: 2, manifest, proof: '', files }
    },
    getFile: ({ params }) => {
      const { hashes: rows } = params.key === 'train' ? train : dev
      return new TextEncoder().encode(rows.map(row => `${row}\n`).join(''))
    },
    getLogProof: ({ query }) => {
      const proof = log.proofAt(2)
      if (query.get('leaf') !== proof.leafHash) throw new Refused(404, 'not-found')
      return proof
    },
  })
  place = aFolder({
    '.openledger/dev.json': JSON.stringify({ baseUrl: deployment.baseUrl }),
    'genesis.json': JSON.stringify(facts),
    'mine.jsonl': JSONL,
  })
  keepSeed(`${place.folder}/seed.json`, { submissionId, seed: body.seed })
})
afterAll(async () => {
  place?.remove()
  await deployment?.close()
})

const prove = (...argv: string[]) =>
  run(place.folder, ['--profile', 'dev', 'prove', '--seed', 'seed.json', ...argv])

describe('prove', () => {
  it.each([
    [2, 'in train', 'in train of the frozen dataset', []],
    [3, 'in no part', 'in no part of the frozen dataset', ['that the record was accepted']],
    [4, 'in dev', 'in dev of the frozen dataset', []],
  ])('shows where the record of line %i is, to whoever has the file', async (line, said, part, gaps) => {
    const made = await prove(
      'mine.jsonl',
      ...['--line', String(line), '--dataset', datasetId, '--save', `${line}.json`],
    )
    expect(made).toMatchObject({ exit: 0, err: '' })
    expect(made.out).toMatch(new RegExp(`^dataset {4}${said}$`, 'm'))
    const { exit, json } = await run(place.folder, [
      ...['--json', '--profile', 'nobody', 'verify', 'record', `${line}.json`],
      ...['--genesis', 'genesis.json', '--dataset', datasetId],
    ])
    const report = json() as unknown as { checks: { name: string; detail: string }[]; notChecked: string[] }
    expect(exit).toBe(0)
    expect(report.checks.at(-1)).toMatchObject({ name: 'part', detail: part })
    for (const gap of gaps) expect(report.notChecked.join('; ')).toContain(gap)
    if (gaps.length === 0) expect(report.notChecked).toEqual([])
  })

  it('takes the uploaded bytes and no others', async () => {
    place.write('other.jsonl', JSONL.replace('two', 'tow'))
    const { exit, err } = await prove('other.jsonl', '--line', '1', '--save', 'other.json')
    expect(exit).toBe(1)
    expect(err).toMatch(/^This is not the file that was uploaded \(digest-mismatch\)/)
  })

  it('needs a line that is there', async () => {
    const { exit, err } = await prove('mine.jsonl', '--line', '5', '--save', 'five.json')
    expect(exit).toBe(1)
    expect(err).toMatch(/^There is no record on this line.*\n {2}expected: a line from 1 to 4/)
  })

  it('never repeats what a seed file holds, and keeps it for its owner alone', async () => {
    const seed = '5eed'
    place.write('wrong.json', JSON.stringify({ kind: 'upload-seed', schema: 1, submissionId: '0x', seed }))
    const { exit, out, err } = await prove(
      'mine.jsonl',
      ...['--seed', 'wrong.json', '--line', '1', '--save', 'x'],
    )
    expect(exit).toBe(1)
    expect(err).toMatch(/^wrong.json holds no seed \(malformed\)/)
    expect(out + err).not.toContain(seed)
    expect(statSync(`${place.folder}/seed.json`).mode & 0o077).toBe(0)
  })
})
