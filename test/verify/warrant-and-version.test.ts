import type { Lineage } from '../../api/schemas/training.ts'
import { makeWarrant, runIdOf } from '../../domain/governance/warrant.ts'
import { canonicalJson } from '../../domain/protocol/canonical-json.ts'
import { parseBytes32 } from '../../domain/protocol/hex.ts'
import { documentId, keccak256Hex } from '../../domain/protocol/ids.ts'
import { hashTypedData, normalizeSignature } from '../../domain/protocol/typed-data.ts'
import { type Report, type VersionEvidence, verifyVersion, verifyWarrant } from '../../verify/index.ts'
import { memorySigner, walletOf } from '../support/governance-stage.ts'
import {
  aFineTune,
  aLog,
  aVersion,
  aVote,
  aVoteOf,
  aWarrant,
  digestOf,
  type Json,
  rewritten,
  set,
} from './a-life.ts'

const firstWrong = (report: Report) => {
  const wrong = report.checks.find(check => !check.ok)
  return wrong === undefined ? 'nothing' : `${wrong.name}: ${wrong.detail}`
}

describe('a warrant', () => {
  it('of a passed vote verifies with its ballot file', async () => {
    const vote = await aVote()
    const report = await verifyWarrant(await aWarrant(vote), vote.file, vote.trust)
    expect(firstWrong(report)).toBe('nothing')
    expect(report.checks.map(check => check.name)).toContain('vote/tally')
  })

  it('does not verify when the vote was defeated', async () => {
    const vote = await aVoteOf([
      ['alice', 0, 1],
      ['bob', 1, 1],
    ])
    expect(firstWrong(await verifyWarrant(await aWarrant(vote), vote.file, vote.trust))).toMatch(
      /^vote passed: the outcome of the vote is defeated/,
    )
  })

  it('does not verify with another ballot file, another input, document or key', async () => {
    const vote = await aVote()
    const warrant = await aWarrant(vote)
    const verify = async (change: Partial<typeof warrant>, file = vote.file, trust = vote.trust) =>
      firstWrong(await verifyWarrant({ ...warrant, ...change }, file, trust))

    const forged = rewritten(vote.file, lines => {
      set(lines, '0.result.voters', 4)
      return undefined
    })
    expect(await verify({}, forged)).toMatch(/^vote\/file: the digest/)
    expect(await verify({ input: { ...aFineTune, recipe: digestOf('x') } })).toMatch(/^voted input: the hash/)
    expect(await verify({ document: { ...warrant.document, budgetUsdMicro: 2 } })).toMatch(/^warrant: the id/)
    const document = { ...warrant.document, budgetUsdMicro: 2 }
    expect(await verify({ document, id: documentId(document) })).toMatch(/^warrant signature: the signer/)
    const stranger = walletOf('stranger').signingKey.sign(warrant.id).serialized
    expect(await verify({ signature: normalizeSignature(stranger) })).toMatch(
      /^warrant signature: the signer/,
    )
  })

  it('does not verify when the service signed what was not voted', async () => {
    const vote = await aVote()
    const smuggled = { ...aFineTune, baseModel: digestOf('another model') }
    const deps = { genesis: vote.genesis, signer: memorySigner('warrant key') }
    const warrant = await makeWarrant(deps, vote.proposal, vote.result, 'fine-tune', smuggled)
    expect(firstWrong(await verifyWarrant(warrant, vote.file, vote.trust))).toMatch(
      /^voted input: the hash of the voted input/,
    )
    const text = await makeWarrant(deps, vote.proposal, vote.result, 'align', aFineTune)
    expect(firstWrong(await verifyWarrant(text, vote.file, vote.trust))).toMatch(/^voted input: /)
  })

  it('permits the later steps of a build with the version of the step before', async () => {
    const vote = await aVote()
    const input = { datanetId: aFineTune.datanetId, alias: 'assistant', version: documentId('a version') }
    const deps = { genesis: vote.genesis, signer: memorySigner('warrant key') }
    const warrant = await makeWarrant(deps, vote.proposal, vote.result, 'release', input)
    expect(firstWrong(await verifyWarrant(warrant, vote.file, vote.trust))).toBe('nothing')
    const other = await makeWarrant(deps, vote.proposal, vote.result, 'release', { ...input, alias: 'other' })
    expect(firstWrong(await verifyWarrant(other, vote.file, vote.trust))).toMatch(/^voted input: /)
  })

  it('does not verify when the service signed a document that the vote contradicts', async () => {
    const vote = await aVote()
    const { document } = await aWarrant(vote)
    const signed = async (change: Partial<typeof document>) => {
      const other = { ...document, ...change }
      const id = documentId(other)
      const signature = await memorySigner('warrant key').sign(
        hashTypedData(vote.genesis, 'Warrant', {
          warrantId: id,
          proposalId: parseBytes32(other.proposalId),
          action: other.action,
          inputHash: parseBytes32(other.inputHash),
          budgetUsdMicro: BigInt(other.budgetUsdMicro),
          expiresAt: Date.parse(other.expiresAt),
          ballotFileDigest: parseBytes32(`0x${other.ballotFileSha256}`),
        }),
      )
      return firstWrong(await verifyWarrant({ id, document: other, signature }, vote.file, vote.trust))
    }
    expect(await signed({})).toBe('nothing')
    expect(await signed({ budgetUsdMicro: 2_000_000 })).toMatch(/^voted input: the budget/)
    expect(await signed({ expiresAt: '2020-01-01T00:00:00.000Z' })).toMatch(
      /^warrant signature: .* expired before/,
    )
    expect(await signed({ deploymentId: documentId('other') })).toMatch(/^vote passed: the deployment/)
    expect(await signed({ proposalId: documentId('other') })).toMatch(/^vote\/proposal: the proposal/)
    expect(await signed({ action: 'open-datanet' })).toMatch(/^voted input: a build does not permit/)
    expect(await signed({ schema: 2 as 1 })).toMatch(/^warrant: the schema/)
  })

  it('needs a vote on the very action, or on a build', async () => {
    const text = await aVoteOf([['alice', 1, 1]], { type: 'text', input: {}, budgetUsdMicro: 1_000_000 })
    expect(firstWrong(await verifyWarrant(await aWarrant(text), text.file, text.trust))).toMatch(
      /^voted input: a vote on text does not permit fine-tune/,
    )
    const action = { type: 'fine-tune', input: aFineTune, budgetUsdMicro: 5 } as const
    const own = await aVoteOf([['alice', 1, 1]], action)
    expect(firstWrong(await verifyWarrant(await aWarrant(own), own.file, own.trust))).toBe('nothing')
  })
})

describe('a version', () => {
  it('that a vote permitted verifies, from its lineage to its weights', async () => {
    const vote = await aVote()
    const report = await verifyVersion(await aVersion(vote), vote.trust)
    expect(firstWrong(report)).toBe('nothing')
    expect(report.notChecked).not.toContain('that the version is in the log: no proof was given')
  })

  it('that was made without a passed vote does not verify', async () => {
    const defeated = await aVoteOf([['carol', 1, 1]])
    const report = await verifyVersion(await aVersion(defeated), defeated.trust)
    expect(firstWrong(report)).toMatch(/^vote passed: /)
  })

  const lineages: [string, Partial<Lineage>, RegExp][] = [
    ['another warrant', { warrantId: documentId('w') }, /^permission: the warrant/],
    ['another proposal', { proposalId: documentId('p') }, /^permission: the proposal/],
    ['a run of no attempt', { runId: documentId('r') }, /^permission: the run .* is no attempt/],
    ['another action', { kind: 'align' }, /^permission: the permitted action/],
    ['another deployment', { deploymentId: documentId('d') }, /^permission: the deployment/],
    ['another recipe', { recipe: digestOf('x') }, /^input: the recipe/],
    ['another Datanet', { datanetId: documentId('x') }, /^input: the Datanet/],
    ['a parent that was not voted', { parent: digestOf('x') }, /^input: the parent/],
    ['another base model', { baseModel: digestOf('x') }, /^input: the base model/],
    [
      'another training set',
      { dataset: { datasetId: aFineTune.dataset.datasetId, trainRoot: digestOf('x'), logSize: 12 } },
      /^input: the train root/,
    ],
    [
      'another frozen dataset',
      { dataset: { ...aFineTune.dataset, datasetId: documentId('x') } },
      /^input: the frozen dataset/,
    ],
    [
      'another size of the log',
      { dataset: { ...aFineTune.dataset, logSize: 13 } },
      /^input: the size of the log/,
    ],
    ['no training set', { dataset: null }, /^input: lineage.dataset should be an object/],
    [
      'a gate that passed below its bound',
      { gate: { passed: true, differencePpm: 10, lowPpm: -5, highPpm: 20, n: 200 } },
      /^gate: what the gate decided/,
    ],
    [
      'a gate over fewer items',
      { gate: { passed: true, differencePpm: 10, lowPpm: 5, highPpm: 20, n: 100 } },
      /^gate: the number of items/,
    ],
    [
      'a gate whose interval misses the difference',
      { gate: { passed: true, differencePpm: 30, lowPpm: 5, highPpm: 20, n: 200 } },
      /^gate: the difference/,
    ],
  ]
  it.each(lineages)('with %s in its lineage does not verify', async (_name, change, expected) => {
    const vote = await aVote()
    expect(firstWrong(await verifyVersion(await aVersion(vote, change), vote.trust))).toMatch(expected)
  })

  it('that failed its gate verifies as not promoted, and as promoted does not', async () => {
    const vote = await aVote()
    const failed = { gate: { passed: false, differencePpm: 10, lowPpm: -5, highPpm: 20, n: 200 } }
    const version = await aVersion(vote, failed)
    const report = await verifyVersion(version, vote.trust)
    expect(firstWrong(report)).toBe('nothing')
    expect(report.checks.find(check => check.name === 'log leaf')?.detail).toBe('logged as not promoted')
    const leaf = { ...(JSON.parse(version.logProof.entry) as Json), promoted: true }
    const log = await aLog(vote.genesis, [leaf])
    const promoted = await verifyVersion({ ...version, logProof: log.proofAt(0) }, vote.trust)
    expect(firstWrong(promoted)).toMatch(/^log leaf: the log says promoted/)
  })

  it('whose log proof, weights or id are of another does not verify', async () => {
    const vote = await aVote()
    const version = await aVersion(vote)
    const verify = async (change: Partial<VersionEvidence>) =>
      firstWrong(await verifyVersion({ ...version, ...change }, vote.trust))
    expect(await verify({ versionId: documentId('x') })).toMatch(/^lineage: the id of the version/)
    expect(await verify({ weightsManifest: { files: [] } })).toMatch(/^weights: the digest/)
    const { logProof } = version
    const proof = (change: object) => verify({ logProof: { ...logProof, ...change } })
    expect(await proof({ index: 1 })).toMatch(/^log: the proof leads to/)
    expect(await proof({ proof: logProof.proof.slice(1) })).toMatch(/^log: the proof has 1 hashes/)
    expect(await proof({ entry: logProof.entry.replace('true', 'false') })).toMatch(/^log: the leaf hash/)
    expect(await proof({ checkpoint: logProof.checkpoint.replace('\n4\n', '\n3\n') })).toMatch(
      /^log: the signature of .* is wrong/,
    )
    const other = await aVersion(vote, { recipe: digestOf('x') })
    expect(await verify({ logProof: other.logProof })).toMatch(/^log leaf: the version in the log/)
    expect(await verify({ parentLineage: version.lineage })).toMatch(/^parent: the parent/)
    const leaf = JSON.parse(logProof.entry) as Json
    const logged = async (change: Json) => {
      const log = await aLog(vote.genesis, [{ kind: 'genesis' }, { ...leaf, ...change }])
      return verify({ logProof: log.proofAt(1) })
    }
    expect(await logged({})).toBe('nothing')
    expect(await logged({ kind: 'vote' })).toMatch(/^log leaf: the kind/)
    expect(await logged({ warrantId: '0x' })).toMatch(/^log leaf: the warrant/)
    const elsewhere = await aLog({ deploymentId: parseBytes32(documentId('other')) }, [leaf])
    expect(await verify({ logProof: elsewhere.proofAt(0) })).toMatch(/^log: the log head is not signed by/)
  })

  it('that was aligned verifies with the version that it was aligned from', async () => {
    const align = {
      datanetId: aFineTune.datanetId,
      modelProfile: 'cpu-135m',
      recipe: digestOf('align recipe'),
      promptSet: digestOf('prompts'),
      goldSet: digestOf('gold'),
      sealedSet: digestOf('sealed'),
      judgmentsPerPair: 3,
      roundSeconds: 60,
      targets: ['function' as const],
      gate: aFineTune.gate,
    }
    const release = { datanetId: aFineTune.datanetId, alias: 'assistant' }
    const vote = await aVoteOf([['alice', 1, 1]], {
      type: 'build',
      input: { fineTune: aFineTune, align, release },
      budgetUsdMicro: 1_000_000,
    })
    const parent = await aVersion(vote)
    const input = { ...align, parentVersion: parent.versionId }
    const deps = { genesis: vote.genesis, signer: memorySigner('warrant key') }
    const warrant = await makeWarrant(deps, vote.proposal, vote.result, 'align', input)
    const aligned = (change: Partial<Lineage> = {}): VersionEvidence => {
      const lineage: Lineage = {
        ...parent.lineage,
        kind: 'align',
        parent: parent.versionId,
        warrantId: warrant.id,
        runId: runIdOf(warrant.id, 2),
        recipe: align.recipe,
        dataset: null,
        round: keccak256Hex('round'),
        ...change,
      }
      const { id, document, signature } = warrant
      const parentLineage = parent.lineage
      return {
        versionId: documentId(lineage),
        lineage,
        warrant: { id, document, signature },
        ballotFile: vote.file,
        parentLineage,
      }
    }
    const verify = async (evidence: VersionEvidence) => firstWrong(await verifyVersion(evidence, vote.trust))
    expect(await verify(aligned())).toBe('nothing')
    expect(await verify(aligned({ parent: documentId('other') }))).toMatch(/^voted input: the hash/)
    expect(await verify(aligned({ baseModel: digestOf('x') }))).toMatch(/^parent: the base model/)
    expect(await verify(aligned({ datanetId: documentId('x') }))).toMatch(/^input: the Datanet/)
    expect(await verify(aligned({ schema: 2 as 1 }))).toMatch(/^lineage: the schema/)
    const { parentLineage: _parent, ...without } = aligned()
    expect((await verifyVersion(without, vote.trust)).notChecked).toContain(
      'what the parent came from: its lineage was not given',
    )
  })

  it('is told apart from one whose log is another deployment', async () => {
    const vote = await aVote()
    const version = await aVersion(vote)
    const logKey = vote.trust.logKey!
    const report = await verifyVersion(version, {
      ...vote.trust,
      logKey: logKey.replace(/\+.*/, '+00000000+AA=='),
    })
    expect(firstWrong(report)).toMatch(/^log: the log key/)
  })

  it('has a lineage whose id is that of its canonical spelling', async () => {
    const vote = await aVote()
    const { lineage, versionId } = await aVersion(vote)
    expect(documentId(JSON.parse(canonicalJson(lineage)))).toBe(versionId)
  })
})
