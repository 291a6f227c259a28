import fc from 'fast-check'
import {
  keyRotationLeaf,
  parseLeaf,
  payoutLeaf,
  revocationLeaf,
  scoresLeaf,
} from '../../domain/data/attribution-leaf.ts'
import { frozenDatasetLeaf, genesisLeaf, submissionLeaf, vouchLeaf } from '../../domain/data/leaves.ts'
import type { FrozenDatasetRecord } from '../../domain/data/ports.ts'
import type { Submission, SubmissionOutcome } from '../../domain/data/submission.ts'
import type { Genesis } from '../../domain/governance/genesis.ts'
import { rulePresets } from '../../domain/governance/rules.ts'
import { canonicalJson } from '../../domain/protocol/canonical-json.ts'
import type { Address, Bytes32, Hex } from '../../domain/protocol/hex.ts'
import { keccak256Hex, sha256Hex } from '../../domain/protocol/ids.ts'
import { proveRuns } from '../support/prove-runs.ts'

const malformed = expect.objectContaining({ code: 'malformed' })
const account = (number: number) => `0x${number.toString(16).padStart(40, '0')}` as Address
const SIGNATURE = `0x${'ab'.repeat(65)}` as Hex
const id = (name: string): Bytes32 => keccak256Hex(name)

function aSubmission(): Submission {
  return {
    id: id('submission'),
    manifest: {
      datanetId: id('datanet'),
      contributor: account(1),
      objectDigest: sha256Hex('object'),
      sizeBytes: 100,
      recordCount: 3,
      recordsRoot: sha256Hex('root'),
      license: 'CC-BY-4.0',
      consent: 'I may share these records.',
      nonce: 1,
      deadline: 1_800_000_000_000,
    },
    signature: SIGNATURE,
    seed: '00'.repeat(32),
    sequence: 1,
    registeredAt: 1_700_000_000_000,
    receivedAt: 1_700_000_000_001,
    outcome: null,
    logIndex: null,
    receipt: null,
  }
}
const anOutcome = (changes: Partial<SubmissionOutcome> = {}): SubmissionOutcome => ({
  state: 'accepted',
  decidedAt: 1_700_000_000_002,
  lines: 3,
  accepted: 3,
  refused: {},
  reasons: [],
  acceptedRoot: sha256Hex('accepted'),
  object: null,
  ...changes,
})
const REASON = { code: 'digest-mismatch', expected: 'these bytes', seen: 'other bytes' }
const NOTHING = { accepted: 0, acceptedRoot: null }

const LEAVES = {
  genesis: genesisLeaf(
    {
      deploymentId: id('deployment'),
      stage: 'local',
      chainId: 31_337,
      gOpen: account(2),
      openToken: account(3),
      rewardClaims: account(4),
      governors: { addresses: [account(5), account(6), account(7)], threshold: 2 },
      rules: rulePresets.rehearsal,
      rehearsal: true,
    } satisfies Genesis,
    { receipt: account(8), warrant: account(9), payout: account(10), logHead: 'openledger+12345678+AQ==' },
  ),
  vouch: vouchLeaf({
    governor: account(5),
    account: account(1),
    level: 1,
    nonce: 7,
    signature: SIGNATURE,
    receivedAt: 1,
    logIndex: null,
  }),
  accepted: submissionLeaf(aSubmission(), anOutcome()),
  'partly accepted': submissionLeaf(
    aSubmission(),
    anOutcome({ state: 'partly-accepted', accepted: 2, refused: { 'near-copy': 1 } }),
  ),
  rejected: submissionLeaf(aSubmission(), anOutcome({ state: 'rejected', ...NOTHING, reasons: [REASON] })),
  quarantined: submissionLeaf(
    aSubmission(),
    anOutcome({ state: 'quarantined', ...NOTHING, reasons: [REASON] }),
  ),
  'frozen dataset': frozenDatasetLeaf({
    id: id('dataset'),
    manifest: {
      datanetId: id('datanet'),
      logSize: 12,
      trainRoot: sha256Hex('train'),
      devRoot: sha256Hex('dev'),
      trainRecords: 90,
      devRecords: 10,
    },
  } as FrozenDatasetRecord),
  scores: scoresLeaf(3, sha256Hex('scores')),
  payout: payoutLeaf({ period: 3, root: id('root'), total: 10n ** 30n, fileSha256: sha256Hex('file') }),
  revocation: revocationLeaf(
    { submissionId: id('submission'), contributor: account(1), reasonHash: id('reason'), nonce: 2 },
    SIGNATURE,
  ),
  'key rotation': keyRotationLeaf(
    { account: account(1), newKey: account(11), effectiveAt: 1_700_000_000_000, nonce: 3 },
    SIGNATURE,
  ),
}

describe('a leaf of the attribution log', () => {
  it.each(Object.entries(LEAVES))('%s is taken as the service makes it, unchanged', (_name, leaf) => {
    expect(canonicalJson(parseLeaf(leaf))).toBe(canonicalJson(leaf))
  })

  it('is refused with a member too many, too few or of another type', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...Object.values(LEAVES)),
        fc.nat(),
        fc.constantFrom('more', 'less', 'other'),
        (leaf, at, change) => {
          const document: Record<string, unknown> = { ...leaf }
          const key = Object.keys(document)[at % Object.keys(document).length]!
          if (change === 'more') document.note = 'seen by all for ever'
          if (change === 'less') delete document[key]
          if (change === 'other') document[key] = { unlike: 'anything' }
          // Which rules there are is for governance to say; here they are an open object.
          if (change === 'other' && key === 'rules') return
          expect(() => parseLeaf(document)).toThrow(malformed)
        },
      ),
      proveRuns(),
    )
  })

  it.each<[string, object]>([
    ['an unknown kind', { kind: 'gift', schema: 1 }],
    [
      'an accepted submission of which lines were refused',
      { ...LEAVES.accepted, refusedRecords: { 'near-copy': 1 } },
    ],
    ['an accepted submission without records', { ...LEAVES.accepted, acceptedRecords: 0 }],
    ['a rejected submission with accepted records', { ...LEAVES.rejected, acceptedRecords: 1 }],
    ['a reason in words', { ...LEAVES.rejected, reasons: ['Ann Example uploaded this'] }],
    ['an address of mixed case', { ...LEAVES.genesis, gOpen: `0x${'aB'.repeat(20)}` }],
    ['an amount as a number', { ...LEAVES.payout, total: 5 }],
    [
      'a message with another field',
      { ...LEAVES.vouch, message: { ...(LEAVES.vouch.message as object), extra: 1 } },
    ],
    ['a short signature', { ...LEAVES.vouch, signature: '0xabcd' }],
    ['no object', []],
  ])('is refused: %s', (_what, document) => {
    expect(() => parseLeaf(document)).toThrow(malformed)
  })
})
