import { readFileSync } from 'node:fs'
import { gzipSync } from 'node:zlib'
import { canonicalJson } from '../../domain/protocol/canonical-json.ts'
import { aFrozenSubmission, type Json } from '../verify/a-life.ts'
import { aPublishedLife, WEIGHTS } from './a-deployment.ts'
import { aDeployment, aFolder, type Ran, run } from './run-cli.ts'

type Life = Awaited<ReturnType<typeof aPublishedLife>>

let life: Life
let deployment: Awaited<ReturnType<typeof aDeployment>>
let place: ReturnType<typeof aFolder>
beforeAll(async () => {
  life = await aPublishedLife()
  deployment = await aDeployment(life.answers)
})
afterAll(() => deployment.close())
beforeEach(() => {
  place = aFolder({
    '.openledger/dev.json': JSON.stringify({ baseUrl: deployment.baseUrl }),
    'genesis.json': JSON.stringify(life.facts),
  })
})
afterEach(() => place.remove())

const verify = (...argv: string[]) => run(place.folder, ['--profile', 'dev', 'verify', ...argv])
/** From files only: the profile is of nobody, so whoever asked a deployment would fail. */
const offline = (...argv: string[]) => run(place.folder, ['--profile', 'nobody', 'verify', ...argv])
const idOf = (kind: string) =>
  kind === 'version' ? life.versionId : kind === 'payout' ? life.datanetId : life.proposalId
const fails = ({ out }: Ran) => out.split('\n').filter(line => line.startsWith('FAIL'))
const read = (name: string) => JSON.parse(readFileSync(`${place.folder}/${name}`, 'utf8'))
const write = (name: string, value: unknown) => place.write(name, JSON.stringify(value))

describe.each(['ballots', 'warrant', 'version', 'payout'])('verify %s', kind => {
  it('holds for what an honest deployment publishes, and says what was trusted', async () => {
    const ran = await verify(kind, idOf(kind))
    expect(fails(ran)).toEqual([])
    expect(ran.exit).toBe(0)
    expect(ran.out).toMatch(new RegExp(`^trusted: the genesis facts that ${deployment.baseUrl} gives itself`))
    expect(ran.out).toMatch(/^ok {4}trust\/genesis in the log: entry 0 of 7/m)
    expect(ran.out).toMatch(/^not checked: that this is the deployment you mean/m)
    expect(ran.out).toMatch(/Everything that was checked holds\.\n$/)
  })

  it('holds for what was saved, offline, with genesis facts that the person knows', async () => {
    expect((await verify(kind, idOf(kind), '--save', 'evidence.json')).exit).toBe(0)
    const ran = await offline(kind, 'evidence.json', '--genesis', 'genesis.json', '--json')
    const report = ran.json() as { ok: boolean; trusted: string; checks: unknown[]; notChecked: string[] }
    expect(report).toMatchObject({ ok: true, trusted: 'the genesis facts of genesis.json' })
    expect(report.notChecked.filter(gap => /deployment|governors|key|proof was given/.test(gap))).toEqual([])
    expect(ran.exit).toBe(0)
  })

  it('says what it cannot compare when nothing is trusted', async () => {
    await verify(kind, idOf(kind), '--save', 'evidence.json')
    const ran = await offline(kind, 'evidence.json')
    expect(ran.exit).toBe(0)
    expect(ran.out).toMatch(/^trusted: nothing/)
    expect(ran.out).toMatch(/^not checked: that this is the deployment you mean: no genesis was given/m)
  })

  it('fails for the facts of another deployment', async () => {
    write('other.json', { ...life.facts, deploymentId: `0x${'de'.repeat(32)}` })
    const ran = await verify(kind, idOf(kind), '--genesis', 'other.json')
    expect(ran.exit).toBe(1)
    expect(fails(ran)).toHaveLength(1)
    expect(fails(ran)[0]).toMatch(/deployment: the deployment id is 0x[0-9a-f]+, not 0xdede/)
    expect(ran.out).toMatch(/This does not hold: see FAIL above\.\n$/)
  })

  it('keeps what is there when it is told to save over it', async () => {
    place.write('evidence.json', 'mine')
    const ran = await verify(kind, idOf(kind), '--save', 'evidence.json')
    expect(ran).toMatchObject({ exit: 1, out: '' })
    expect(ran.err).toMatch(/^evidence.json cannot be written \(conflict\)/)
    expect(readFileSync(`${place.folder}/evidence.json`, 'utf8')).toBe('mine')
  })

  it('says what it expected of a file that is none of its own', async () => {
    for (const [content, seen] of [
      ['{', 'is not JSON'],
      [kind === 'payout' ? '{ "kind": "payout-evidence" }' : '{}', 'is not the evidence that is asked for'],
    ] as const) {
      place.write('file', content)
      const ran = await offline(kind, 'file')
      expect(ran.exit).toBe(1)
      expect(ran.err).toContain(`file ${seen} (malformed)\n  expected: a`)
    }
    const ran = await offline(kind, 'gone')
    expect(ran.exit).toBe(1)
    expect(ran.err).toMatch(
      /^gone cannot be read \(not-found\)\n {2}expected: .*ID \(0x.*\n {2}seen: {5}no such file/,
    )
  })

  it('says so when the deployment has no such thing', async () => {
    const ran = await verify(kind, `0x${'00'.repeat(32)}`)
    expect(ran).toMatchObject({ exit: 1, out: '' })
    expect(ran.err).toMatch(/^Refused: not-found/)
  })
})

describe('one changed byte', () => {
  /** The base64 of a gzip, with another byte near its middle. */
  const flipped = (text: string) => {
    const bytes = Buffer.from(text, 'base64')
    const middle = bytes.length >> 1
    bytes[middle] = bytes[middle]! ^ 1
    return bytes.toString('base64')
  }
  const another = (digits: string) => digits.slice(0, -1) + (digits.endsWith('0') ? '1' : '0')
  type Change = (evidence: Json) => unknown
  const inside = (evidence: Json, name: string) => evidence[name] as Json
  const textOf = (evidence: Json, name: string) => evidence[name] as string
  const cases: readonly [string, string, Change, RegExp][] = [
    [
      'ballots',
      'the packed file',
      e => ({ ...e, ballotFile: flipped(textOf(e, 'ballotFile')) }),
      /^(file|format): /,
    ],
    [
      'ballots',
      'the proof of the vote',
      e => ({ ...e, voteProof: { ...inside(e, 'voteProof'), index: 2 } }),
      /^log: /,
    ],
    [
      'warrant',
      'the packed ballot file',
      e => ({ ...e, ballotFile: flipped(textOf(e, 'ballotFile')) }),
      /^fine-tune\/vote\/file: the digest of the file is/,
    ],
    [
      'warrant',
      'the id of the warrant',
      e => {
        const [warrant] = e.warrants as Json[]
        return { ...e, warrants: [{ ...warrant, id: another(textOf(warrant!, 'id')) }] }
      },
      /^fine-tune\/warrant: the id of the warrant is/,
    ],
    [
      'version',
      'the lineage',
      e => ({ ...e, lineage: { ...inside(e, 'lineage'), code: 'a'.repeat(64) } }),
      /^lineage: the id of the version is/,
    ],
    [
      'version',
      'the proof of its leaf',
      e => {
        const [first, ...rest] = inside(e, 'logProof').proof as string[]
        return { ...e, logProof: { ...inside(e, 'logProof'), proof: [another(first!), ...rest] } }
      },
      /^log: /,
    ],
    [
      'payout',
      'an amount',
      e => ({ ...e, file: textOf(e, 'file').replace('"revenue":"1000003"', '"revenue":"2000003"') }),
      /^contributors: the amount of the contributors is/,
    ],
    [
      'payout',
      'the file of the period before',
      e => ({ ...e, previousFile: textOf(e, 'previousFile').replace('1000003', '2000003') }),
      /^previous period: the file of the period before is/,
    ],
  ]
  it.each(cases)(
    'of the evidence of %s, in %s, is named and ends with 1',
    async (kind, _what, change, said) => {
      await verify(kind, idOf(kind), '--save', 'evidence.json')
      const honest = read('evidence.json')
      const changed = change(honest)
      expect(canonicalJson(changed as never)).not.toBe(canonicalJson(honest))
      write('changed.json', changed)
      const ran = await offline(kind, 'changed.json', '--genesis', 'genesis.json')
      expect(fails(ran)).toHaveLength(1)
      expect(fails(ran)[0]!.replace(/^FAIL {2}/, '')).toMatch(said)
      expect(ran.exit).toBe(1)
    },
  )

  it('of a bare ballot file, or of one line within, is found', async () => {
    place.write('good.gz', life.ballotFile)
    expect((await offline('ballots', 'good.gz', '--genesis', 'genesis.json')).exit).toBe(0)
    place.write('bad.gz', new Uint8Array(gzipSync('{"kind":"ballots"}\n')))
    const ran = await offline('ballots', 'bad.gz')
    expect(fails(ran)).toEqual(['FAIL  format: the schema is undefined, not 1'])
    expect(ran.exit).toBe(1)
  })

  it('of a bare payout file is found', async () => {
    place.write('good.json', life.payoutFile)
    expect((await offline('payout', 'good.json', '--genesis', 'genesis.json')).exit).toBe(0)
    place.write('bad.json', life.payoutFile.replace(/"paid":"(\d+)"/, '"paid":"1$1"'))
    const ran = await offline('payout', 'bad.json')
    expect(fails(ran)[0]).toMatch(/^FAIL {2}accounts: what 0x[0-9a-f]{40} is paid is/)
    expect(ran.exit).toBe(1)
  })
})

describe('trust', () => {
  it('is a file of genesis facts and nothing else', async () => {
    place.write('wrong.json', JSON.stringify({ ...life.facts, gOpen: '0x12' }))
    const ran = await verify('ballots', life.proposalId, '--genesis', 'wrong.json')
    expect(ran).toMatchObject({ exit: 1, out: '' })
    expect(ran.err).toMatch(/^wrong.json does not hold genesis facts \(malformed\)\n.*\n {2}seen: {5}gOpen: /)
  })

  it('is what `genesis --json` prints', async () => {
    const printed = await run(place.folder, ['--profile', 'dev', '--json', 'genesis'])
    place.write('printed.json', printed.out)
    expect((await verify('version', life.versionId, '--genesis', 'printed.json')).exit).toBe(0)
  })

  it.each([
    [
      'governors',
      { governors: { addresses: [`0x${'1'.repeat(40)}`], threshold: 1 } },
      /review: the threshold/,
    ],
    [
      'log key',
      { signers: 'another' },
      /log: .*is not|log: the log head is not signed|log: the id of the log key/,
    ],
  ])('in other %s than the real ones is not met', async (_what, change, said) => {
    const { signers } = life.facts
    const other =
      'signers' in change
        ? { signers: { ...signers, logHead: signers.logHead.replace(/^\S{20}/, 'x') } }
        : change
    write('other.json', { ...life.facts, ...other })
    const ran = await verify('ballots', life.proposalId, '--genesis', 'other.json')
    expect(fails(ran)[0]).toMatch(said)
    expect(ran.exit).toBe(1)
  })

  it('in a deployment whose log begins with other facts is refused', async () => {
    const liar = await aPublishedLife(([first, ...rest]) => [{ ...first, chainId: 1 } as never, ...rest])
    const { baseUrl, close } = await aDeployment(liar.answers)
    place.write('.openledger/liar.json', JSON.stringify({ baseUrl }))
    try {
      const ran = await run(place.folder, ['--profile', 'liar', 'verify', 'ballots', liar.proposalId])
      expect(ran.exit).toBe(1)
      expect(ran.err).toMatch(/^The log does not begin with the genesis facts \(digest-mismatch\)/)
    } finally {
      await close()
    }
  })
})

describe('a version', () => {
  it('that the log does not hold is told as not checked there', async () => {
    const silent = await aPublishedLife(leaves => leaves.filter(leaf => leaf.kind !== 'version'))
    const { baseUrl, close } = await aDeployment(silent.answers)
    place.write('.openledger/silent.json', JSON.stringify({ baseUrl }))
    try {
      const ran = await run(place.folder, ['--profile', 'silent', 'verify', 'version', silent.versionId])
      expect(ran.out).toMatch(/^not checked: that the version is in the log: no proof was given/m)
    } finally {
      await close()
    }
  })

  it('is compared with the weights that are served, when they are given', async () => {
    const ran = async (bytes: string) => {
      place.write('weights/model.safetensors', bytes)
      return verify('version', life.versionId, '--weights', 'weights')
    }
    const good = await ran(WEIGHTS)
    expect(fails(good)).toEqual([])
    expect(good.out).toMatch(/^ok {4}weights: 1 files$/m)
    const other = await ran(`${WEIGHTS.slice(1)}w`)
    expect(fails(other)[0]).toMatch(/^FAIL {2}weights: the digest of the weights is/)
    expect(other.exit).toBe(1)
    const gone = await verify('version', life.versionId, '--weights', 'gone')
    expect(gone.err).toMatch(/^There are no model files in gone \(not-found\)/)
  })
})

describe('a record proof', () => {
  it('holds with the dataset that a vote names, and not with another', async () => {
    const { proofOf, indexInDev, datasetId } = await aFrozenSubmission()
    write('proof.json', proofOf(indexInDev))
    const good = await offline('record', 'proof.json', '--genesis', 'genesis.json', '--dataset', datasetId)
    expect(fails(good)).toEqual([])
    expect(good.exit).toBe(0)
    expect(good.out).toMatch(/^ok {4}part: in dev of the frozen dataset$/m)
    const other = await offline('record', 'proof.json', '--dataset', `0x${'00'.repeat(32)}`)
    expect(fails(other)[0]).toMatch(/^FAIL {2}frozen dataset: the frozen dataset is/)
    expect(other.exit).toBe(1)
  })

  it('about another record does not hold', async () => {
    const { proofOf, indexInDev } = await aFrozenSubmission()
    const proof = proofOf(indexInDev)
    write('proof.json', { ...proof, record: { instruction: 'mine', output: 'all mine' } })
    const ran = await offline('record', 'proof.json', '--genesis', 'genesis.json')
    expect(fails(ran)[0]).toMatch(/^FAIL {2}record hash: the hash of the salted record is/)
    expect(ran.exit).toBe(1)
  })

  it('that is broken off is a failed check, not a crash', async () => {
    const { proofOf, indexInDev } = await aFrozenSubmission()
    write('proof.json', { ...proofOf(indexInDev), submission: null })
    const ran = await offline('record', 'proof.json')
    expect(fails(ran)).toEqual(['FAIL  shape: submission should be an object, and is object'])
    expect(ran.exit).toBe(1)
  })
})

describe('a payout', () => {
  it('of the newest period is meant unless one is named', async () => {
    expect((await verify('payout', life.datanetId)).out).toMatch(/^ok {4}format: period 2,/m)
    expect((await verify('payout', life.datanetId, '--period', '1')).out).toMatch(/^ok {4}format: period 1,/m)
    const none = await verify('payout', life.datanetId, '--period', '7')
    expect(none.err).toMatch(
      /^This payout is not there.*\n {2}expected: period 7, settled\n {2}seen: {5}2, 1\n$/,
    )
    expect(none.exit).toBe(1)
  })
})
