import { logOrigin } from '../../domain/protocol/signed-note.ts'
import { readGenesis, verifyVersion } from '../../verify/index.ts'
import { readLogHead } from '../../verify/log-proof.ts'
import { leafHash, requireInclusion } from '../../verify/merkle.ts'
import { aLog, aVersion, aVote } from './a-life.ts'

const head = async () => {
  const { genesis, trust } = await aVote()
  const log = await aLog(genesis, [{ kind: 'genesis' }])
  return { note: log.proofAt(0).checkpoint, body: log.body, key: trust.logKey!, origin: logOrigin(genesis) }
}
/** A note with another text and no valid signature. */
const unsigned = (text: string) => `${text}\n— nobody AAAAAAAA\n`

describe('a log head', () => {
  it('is read with and without a key', async () => {
    const { note, body, key, origin } = await head()
    for (const known of [key, undefined]) {
      const read = readLogHead(note, known)
      expect(read).toMatchObject({ origin, size: 1, text: body })
    }
  })

  it('is refused under a key that is not one, or whose id is not its own', async () => {
    const { note, key } = await head()
    expect(() => readLogHead(note, 'nonsense')).toThrow('not name+id+key')
    const [name, , base64] = key.split(/\+(?=[0-9a-f]{8}\+)|(?<=\+[0-9a-f]{8})\+/)
    expect(() => readLogHead(note, `${name}+00000000+${base64}`)).toThrow('the id of the log key')
    expect(() => readLogHead(note, `${name}+00000000+AAAA`)).toThrow('not an Ed25519 key')
  })

  it('is refused without signatures, or signed by others only', async () => {
    const { note, body, key } = await head()
    expect(() => readLogHead(body, undefined)).toThrow('no signatures')
    expect(() => readLogHead(unsigned(body), key)).toThrow('is not signed by')
    expect(readLogHead(unsigned(body), undefined).size).toBe(1)
    expect(() => readLogHead(note.replace(/— .* /, '— nobody '), key)).toThrow('is not signed by')
  })

  const root = 'A'.repeat(43)
  it.each([
    ['no root', 'log\n1\n', /not origin, size and root/],
    ['no origin', `\n1\n${root}=\n`, /not origin, size and root/],
    ['a size with a leading zero', `log\n01\n${root}=\n`, /size of the log head/],
    ['a size that is no number', `log\nx\n${root}=\n`, /size of the log head/],
    ['a size beyond 2^53', `log\n9007199254740993\n${root}=\n`, /size of the log head/],
    ['a short root', 'log\n1\nAAAA\n', /not 32 bytes/],
    ['a root in loose base64', `log\n1\n${'A'.repeat(42)}B=\n`, /not base64/],
  ])('is refused with %s', (_name, text, expected) => {
    expect(() => readLogHead(unsigned(text), undefined)).toThrow(expected)
  })

  it('of another deployment is refused also where no log key is known', async () => {
    const vote = await aVote()
    const version = await aVersion(vote)
    const elsewhere = await aLog({ deploymentId: `0x${'12'.repeat(32)}` as never }, [
      JSON.parse(version.logProof.entry) as Record<string, unknown>,
    ])
    const { logKey: _key, ...trust } = vote.trust
    const report = await verifyVersion({ ...version, logProof: elsewhere.proofAt(0) }, trust)
    expect(report.checks.at(-1)?.detail).toMatch(/^the name of the log is openledger\/1212/)
    expect(report.notChecked).toContain('that the log signed this head: no log key was given')
  })

  it('gives no genesis from another kind of leaf', async () => {
    const { genesis, trust } = await aVote()
    const signers = { logHead: trust.logKey, warrant: trust.warrantSigner }
    const { chainId, gOpen, deploymentId, governors } = genesis
    const leaf = { kind: 'rotation', chainId, gOpen, deploymentId, governors, signers }
    const log = await aLog(genesis, [leaf])
    const { report } = await readGenesis(log.proofAt(0))
    expect(report.checks.at(-1)?.detail).toMatch(/^the kind of the leaf/)
  })
})

describe('an inclusion proof', () => {
  const hash = leafHash(Uint8Array.of(1))
  it('of a leaf that the tree cannot have, or of hashes that are none, is refused', () => {
    for (const [index, size] of [
      [1, 1],
      [-1, 1],
      [0, 0],
      [0.5, 1],
      [0, 2 ** 53],
    ] as const)
      expect(() => requireInclusion(hash, index, size, [], '')).toThrow('no leaf')
    expect(() => requireInclusion(hash, 0, 2, ['xyz'], '')).toThrow('no SHA-256')
  })
})
