import { readFileSync } from 'node:fs'
import { parseCanonical } from '../../domain/protocol/canonical-json.ts'
import type { Bytes32, Hex } from '../../domain/protocol/hex.ts'
import type { PayoutFile } from '../../domain/protocol/payout-file.ts'
import type { RecordProof } from '../../domain/protocol/record-proof.ts'
import { normalizeSignature } from '../../domain/protocol/typed-data.ts'
import { canonical, documentDigest, documentId, parseCanonicalText } from '../../verify/canonical-json.ts'
import {
  type Report,
  type Trust,
  type VersionEvidence,
  verifyBallots,
  verifyPayout,
  verifyRecord,
  verifyVersion,
  verifyWarrant,
} from '../../verify/index.ts'
import { readLogHead } from '../../verify/log-proof.ts'
import { leafHash, merkleRoot, payoutLeaf, payoutRoot, requireInclusion } from '../../verify/merkle.ts'
import {
  type Domain,
  hashStruct,
  recover,
  TYPES,
  type TypeName,
  typedDataDigest,
} from '../../verify/typed-data.ts'
import { primitiveVectors, VECTORS_FILE } from './make-vectors.ts'

type Evidence = {
  trust: Trust
  logHead: string
  vote: { proposalId: string; ballotFileSha256: string; ballotFileBase64: string }
  version: Omit<VersionEvidence, 'ballotFile'>
  records: { trust: Trust; datasetId: string; inTrain: RecordProof; inDev: RecordProof; inNone: RecordProof }
  payout: { first: PayoutFile; second: PayoutFile }
}
type Vectors = Awaited<ReturnType<typeof primitiveVectors>> & { evidence: Evidence }
const vectors = JSON.parse(readFileSync(VECTORS_FILE, 'utf8')) as Vectors

const wrongOf = (report: Report) => report.checks.filter(check => !check.ok)
const hexBytes = (text: string) => new Uint8Array(Buffer.from(text.replace(/^0x/, ''), 'hex'))
const hexOf = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex')

describe('the published vectors', () => {
  it('are what the product computes', async () => {
    const { evidence: _evidence, ...published } = vectors as Vectors & { _generated?: string }
    delete published._generated
    expect(published).toEqual(JSON.parse(JSON.stringify(await primitiveVectors())))
  })

  it('are what the offline verifier computes: canonical JSON', () => {
    for (const { text, canonical: spelled, documentId: id, documentDigest: digest } of vectors.canonicalJson
      .accepted) {
      const value = JSON.parse(text) as unknown
      expect(canonical(value)).toBe(spelled)
      expect(documentId(value)).toBe(id)
      expect(documentDigest(value)).toBe(digest)
    }
    for (const text of vectors.canonicalJson.refused) {
      expect(() => parseCanonical(text)).toThrow()
      expect(() => parseCanonicalText(text)).toThrow()
    }
  })

  it('are what the offline verifier computes: typed data and signatures', () => {
    const { genesis, address, messages, spellings } = vectors.typedData
    for (const { type, encodedType, message, digest, signature } of messages) {
      if (type in TYPES) {
        expect(TYPES[type as TypeName & keyof typeof TYPES]).toBe(encodedType)
        expect(hexOf(typedDataDigest(genesis as Domain, type as keyof typeof TYPES, message))).toBe(
          digest.slice(2),
        )
      }
      expect(recover(hexBytes(digest), signature)).toBe(address)
      expect(hashStruct(encodedType, message)).toHaveLength(32)
    }
    for (const other of spellings.others) {
      expect(normalizeSignature(other)).toBe(spellings.stored)
      expect(() => recover(hexBytes(messages[0]!.digest as Bytes32), other as Hex)).toThrow()
    }
  })

  it('are what the offline verifier computes: log, records and payouts', () => {
    const { log, payouts, records } = vectors
    const hashes = log.entries.map(entry => leafHash(hexBytes(entry)))
    expect(hashes.map(hexOf)).toEqual(log.leafHashes)
    expect(hashes.map((_, at) => hexOf(merkleRoot(hashes.slice(0, at + 1))))).toEqual(log.roots)
    for (const { index, size, proof } of log.inclusion)
      requireInclusion(hashes[index]!, index, size, proof, log.roots[size - 1]!)
    expect(hexOf(merkleRoot(records.records.map(record => hexBytes(record.recordHash))))).toBe(
      records.recordsRoot,
    )
    const leaves = payouts.tree.leaves.map(leaf => payoutLeaf(leaf.account, BigInt(leaf.cumulativeAmount)))
    expect(leaves.map(hexOf)).toEqual(payouts.tree.leaves.map(leaf => leaf.hash.slice(2)))
    expect(payoutRoot(leaves)).toBe(payouts.tree.root)
  })

  it('hold as evidence: a vote, its warrant, a version, payouts and records', async () => {
    const { trust, vote, version, records, logHead } = vectors.evidence
    const ballotFile = new Uint8Array(Buffer.from(vote.ballotFileBase64, 'base64'))
    const expected = { ...trust, fileSha256: vote.ballotFileSha256, proposalId: vote.proposalId }
    expect(wrongOf(await verifyBallots(ballotFile, expected))).toEqual([])
    expect(wrongOf(await verifyWarrant(version.warrant, ballotFile, trust))).toEqual([])
    expect(wrongOf(await verifyVersion({ ...version, ballotFile }, trust))).toEqual([])
    expect(readLogHead(logHead, trust.logKey).size).toBe(1)
    const first = canonical(vectors.evidence.payout.first)
    expect(wrongOf(await verifyPayout(first))).toEqual([])
    const second = canonical(vectors.evidence.payout.second)
    expect(wrongOf(await verifyPayout(second, { previousFile: first }))).toEqual([])
    const parts = { inTrain: 'in train', inDev: 'in dev', inNone: 'in no part' } as const
    for (const [name, where] of Object.entries(parts)) {
      const proof = records[name as keyof typeof parts]
      const report = await verifyRecord(proof, { ...records.trust, datasetId: records.datasetId })
      expect(wrongOf(report)).toEqual([])
      expect(report.checks.at(-1)?.detail).toBe(`${where} of the frozen dataset`)
    }
  })
})
