import { type Report, verifyRecord } from '../../verify/index.ts'
import { aFrozenSubmission, digestOf, type Json, set } from './a-life.ts'

const firstWrong = (report: Report) => {
  const wrong = report.checks.find(check => !check.ok)
  return wrong === undefined ? 'nothing' : `${wrong.name}: ${wrong.detail}`
}
const lastDetail = (report: Report) => report.checks.at(-1)?.detail
/** A deep copy, as a file would hold it. */
const copy = (value: unknown) => JSON.parse(JSON.stringify(value)) as Json

describe('a record proof', () => {
  it('shows for every record of a submission in which part it is, or that it is in none', async () => {
    const { proofOf, trust, datasetId, indexInDev, indexInNone } = await aFrozenSubmission()
    for (let index = 0; index < 12; index++) {
      const report = await verifyRecord(copy(proofOf(index)), { ...trust, datasetId })
      expect(firstWrong(report)).toBe('nothing')
      const isRefused = index % 4 === 3
      const part =
        index === indexInDev ? 'in dev' : index === indexInNone || isRefused ? 'in no part' : 'in train'
      expect(lastDetail(report)).toBe(`${part} of the frozen dataset`)
      expect(report.checks.some(check => check.name === 'accepted')).toBe(!isRefused)
    }
  })

  it('reveals one salt and nothing of the seed', async () => {
    const { proofOf } = await aFrozenSubmission()
    expect(JSON.stringify(proofOf(0))).not.toContain('5e'.repeat(32))
  })

  it('needs no dataset to show that a record was signed, submitted and accepted', async () => {
    const { proofOf, trust } = await aFrozenSubmission()
    const report = await verifyRecord({ ...copy(proofOf(0)), dataset: null }, trust)
    expect(firstWrong(report)).toBe('nothing')
    expect(report.checks.at(-1)?.name).toBe('accepted')
  })

  const change = (path: string, value: unknown) => (proof: Json) => set(proof, path, value)
  const at = (value: unknown, ...path: string[]) =>
    path.reduce((found, key) => found[key] as Json, value as Json)
  const forgeries: [string, (proof: Json) => void, RegExp][] = [
    ['another record', change('record', { instruction: 'x' }), /^record hash: /],
    ['another salt', change('salt', digestOf('salt')), /^record hash: /],
    ['another hash', change('recordHash', digestOf('h')), /^record hash: /],
    [
      'another place in the upload',
      change('submission.signed.position', 1),
      /^signed by the contributor: the proof leads to/,
    ],
    ['another place among the accepted', change('submission.accepted.size', 100), /^accepted: the proof has/],
    [
      'a changed leaf of the submission',
      proof => {
        const { entry } = at(proof, 'submission', 'logProof')
        set(proof, 'submission.logProof.entry', String(entry).replace('CC-BY-4.0', 'CC0-1.0'))
      },
      /^submission in the log: the leaf hash/,
    ],
    [
      'another leaf as the submission',
      proof => set(proof, 'submission.logProof', at(proof, 'dataset', 'logProof')),
      /^submission: leaf.manifest should be an object/,
    ],
    [
      'another manifest of the dataset',
      change('dataset.manifest.trainRecords', 7),
      /^frozen dataset: the frozen dataset is/,
    ],
    [
      'a claim to be in both parts',
      proof => set(proof, 'dataset.dev', at(proof, 'dataset', 'train')),
      /^dev: the proof /,
    ],
    [
      'a claim to be absent with no neighbors',
      change('dataset.dev', { member: false, left: null, right: null }),
      /^dev: the place of the left neighbor/,
    ],
    ['another kind', change('kind', 'payout'), /^format: the kind/],
    ['another schema', change('schema', 2), /^format: the schema/],
    ['another chain', change('genesis.chainId', 5), /^deployment: the chain id/],
  ]

  it.each(forgeries)('with %s does not verify', async (_name, forge, expected) => {
    const { proofOf, trust, datasetId } = await aFrozenSubmission()
    const proof = copy(proofOf(0))
    forge(proof)
    const report = await verifyRecord(proof, { ...trust, datasetId })
    expect(report.ok).toBe(false)
    expect(firstWrong(report)).toMatch(expected)
  })

  const lies: [string, Parameters<typeof aFrozenSubmission>[0], RegExp][] = [
    [
      'another submission id',
      { submissionLeaf: { submissionId: `0x${'12'.repeat(32)}` } },
      /^submission: the id/,
    ],
    ['a signature by nobody', { submissionLeaf: { signature: `0x${'00'.repeat(65)}` } }, /^submission: /],
    [
      'a dataset of another deployment',
      { manifest: { deploymentId: `0x${'12'.repeat(32)}` } },
      /^frozen dataset: the deployment/,
    ],
    [
      'a dataset of another Datanet',
      { manifest: { datanetId: `0x${'12'.repeat(32)}` } },
      /^frozen dataset: the Datanet/,
    ],
    ['a leaf that freezes nothing', { datasetLeaf: { kind: 'version' } }, /^logged roots: the kind/],
    [
      'a leaf of another dataset',
      { datasetLeaf: { datasetId: `0x${'12'.repeat(32)}` } },
      /^logged roots: the dataset/,
    ],
    [
      'another train root in the log',
      { datasetLeaf: { trainRoot: digestOf('x') } },
      /^logged roots: trainRoot/,
    ],
    ['another log size in the log', { datasetLeaf: { logSize: 99 } }, /^logged roots: logSize/],
  ]
  it.each(lies)('over a log that holds %s does not verify', async (_name, lie, expected) => {
    const { proofOf, trust } = await aFrozenSubmission(lie)
    expect(firstWrong(await verifyRecord(copy(proofOf(0)), trust))).toMatch(expected)
  })

  it('shows absence from an empty part by the root of nothing', async () => {
    const { proofOf, trust } = await aFrozenSubmission({ dev: 'empty' })
    expect(lastDetail(await verifyRecord(copy(proofOf(0)), trust))).toBe('in train of the frozen dataset')
  })

  it('takes no neighbor that is not in the part, however well it is placed', async () => {
    const { proofOf, trust } = await aFrozenSubmission()
    for (const side of ['left', 'right'])
      for (let index = 0; index < 12; index++) {
        const proof = copy(proofOf(index))
        const neighbor = at(proof, 'dataset', 'dev')[side] as Json | null | undefined
        if (neighbor == null) continue
        const own = BigInt(`0x${String(proof.recordHash)}`)
        const closer = (own + (side === 'left' ? -1n : 1n)).toString(16).padStart(64, '0')
        set(proof, `dataset.dev.${side}.hash`, closer)
        expect(firstWrong(await verifyRecord(proof, trust))).toMatch(/^dev: the proof leads to/)
      }
  })

  it('does not hide a record that is in a part behind its neighbors, near or far', async () => {
    const { trust, datasetId, proofOf, indexInDev } = await aFrozenSubmission()
    const proof = copy(proofOf(indexInDev))
    // Every pair of places in dev (or none) that other records' proofs offer as neighbors.
    const known = new Map<unknown, Json | null>([[null, null]])
    for (let index = 0; index < 12; index++) {
      const { left, right } = at(copy(proofOf(index)), 'dataset', 'dev') as Record<string, Json | null>
      for (const place of [left, right]) if (place != null) known.set(place.hash, place)
    }
    const places = [...known.values()]
    expect(places.length).toBeGreaterThan(2)
    for (const left of places)
      for (const right of places) {
        set(proof, 'dataset.dev', { member: false, left, right })
        expect((await verifyRecord(proof, { ...trust, datasetId })).ok).toBe(false)
      }
  })

  it.each([[null], [[]], ['text'], [{}], [{ kind: 'record-proof' }]])(
    'that is %j is refused, not a crash',
    async value => {
      expect((await verifyRecord(value)).ok).toBe(false)
    },
  )
})
