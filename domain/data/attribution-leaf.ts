/**
 * The leaves of the attribution log (docs/protocol.md section 6.4), as schemas: a leaf is for ever, so what
 * is about to be appended is checked against them, and what is read from another's log too. Digests, counts,
 * codes and signed messages only: free text of people stays in objects that can be taken down.
 */
import * as z from 'zod'
import { isOpenLedgerError, OpenLedgerError } from '../errors.ts'
import type { Bytes32, Hex, Sha256Hex } from '../protocol/hex.ts'
import { type Message, messageToJson, parseMessage, type TypeName } from '../protocol/typed-data.ts'

const bytes32 = z.string().regex(/^0x[0-9a-f]{64}$/)
const sha256 = z.string().regex(/^[0-9a-f]{64}$/)
const address = z.string().regex(/^0x[0-9a-f]{40}$/)
const signature = z.string().regex(/^0x(?:[0-9a-f]{2}){65,8192}$/)
const count = z.int().min(0)
const instantMs = z.int().min(0)
const baseUnits = z.string().regex(/^(?:0|[1-9][0-9]{0,77})$/)
/** Machine-readable, as in `near-copy`. */
const code = z.string().regex(/^[a-z0-9][a-z0-9-]{0,59}$/)
const slug = z.string().regex(/^[a-z0-9](?:-?[a-z0-9]){1,40}$/)
const schema = z.literal(1)

/** A signed message of one EIP-712 type, spelled as JSON. */
function signed<N extends TypeName>(type: N) {
  return z.record(z.string(), z.json()).refine(
    message => {
      try {
        parseMessage(type, message)
        return true
      } catch (error) {
        if (isOpenLedgerError(error)) return false
        throw error
      }
    },
    { error: `expected a ${type} message` },
  )
}

const genesis = z.strictObject({
  kind: z.literal('genesis'),
  schema,
  deploymentId: bytes32,
  stage: z.string().min(1).max(40),
  chainId: count,
  gOpen: address,
  openToken: address,
  rewardClaims: address,
  governors: z.strictObject({ addresses: z.array(address).min(1), threshold: z.int().min(1) }),
  rules: z.record(z.string(), z.json()),
  rulesDigest: bytes32,
  rehearsal: z.boolean(),
  signers: z.strictObject({
    receipt: address,
    warrant: address,
    payout: address,
    logHead: z.string().min(1),
  }),
})

const datanetOpened = z.strictObject({
  kind: z.literal('datanet-opened'),
  schema,
  datanetId: bytes32,
  proposalId: bytes32,
  terms: z.record(z.string(), z.json()),
})

const vouch = z.strictObject({ kind: z.literal('vouch'), schema, message: signed('Vouch'), signature })

const submission = {
  schema,
  submissionId: bytes32,
  sequence: z.int().min(1),
  manifest: signed('Submission'),
  signature,
  receivedAt: instantMs.nullable(),
  decidedAt: instantMs,
  refusedRecords: z.record(code, count),
  reasons: z.array(code),
}
const taken = { acceptedRecords: z.int().min(1), acceptedRoot: sha256 }
const notTaken = { acceptedRecords: z.literal(0), acceptedRoot: z.null(), reasons: z.array(code) }
const noneRefused = z.record(code, count).refine(refused => Object.keys(refused).length === 0, {
  error: 'expected no refused records: some were refused, so the outcome is partly-accepted',
})
const submissionAccepted = z.strictObject({
  kind: z.literal('submission-accepted'),
  ...submission,
  ...taken,
  refusedRecords: noneRefused,
})
const submissionPartlyAccepted = z.strictObject({
  kind: z.literal('submission-partly-accepted'),
  ...submission,
  ...taken,
})
const submissionRejected = z.strictObject({
  kind: z.literal('submission-rejected'),
  ...submission,
  ...notTaken,
})
const submissionQuarantined = z.strictObject({
  kind: z.literal('submission-quarantined'),
  ...submission,
  ...notTaken,
})

const frozenDataset = z.strictObject({
  kind: z.literal('frozen-dataset'),
  schema,
  datasetId: bytes32,
  datanetId: bytes32,
  logSize: z.int().min(1),
  trainRoot: sha256,
  devRoot: sha256,
  trainRecords: count,
  devRecords: count,
})

const vote = z.strictObject({
  kind: z.literal('vote'),
  proposalId: bytes32,
  outcome: z.enum(['passed', 'defeated', 'disputed']),
  ballotFile: sha256,
})

const version = z.strictObject({
  kind: z.literal('version'),
  versionId: bytes32,
  datanetId: bytes32,
  warrantId: bytes32,
  promoted: z.boolean(),
})

const judgmentRound = z.strictObject({
  kind: z.literal('judgment-round'),
  roundId: bytes32,
  file: sha256,
  judged: count,
})

const aliasMoved = z.strictObject({
  kind: z.literal('alias-moved'),
  schema,
  alias: slug,
  datanetId: bytes32,
  version: bytes32,
  previous: bytes32.nullable(),
  warrantId: bytes32,
  generation: z.int().min(1),
})

const scores = z.strictObject({
  kind: z.literal('scores'),
  schema,
  period: z.int().min(1),
  scoresDigest: sha256,
})

const payout = z.strictObject({
  kind: z.literal('payout'),
  schema,
  period: z.int().min(1),
  root: bytes32.nullable(),
  total: baseUnits,
  fileSha256: sha256,
})

const revocation = z.strictObject({
  kind: z.literal('revocation'),
  schema,
  message: signed('Revocation'),
  signature,
})

const keyRotation = z.strictObject({
  kind: z.literal('key-rotation'),
  schema,
  message: signed('KeyRotation'),
  signature,
})

const attributionLeaf = z.discriminatedUnion('kind', [
  genesis,
  datanetOpened,
  vouch,
  submissionAccepted,
  submissionPartlyAccepted,
  submissionRejected,
  submissionQuarantined,
  frozenDataset,
  vote,
  version,
  judgmentRound,
  aliasMoved,
  scores,
  payout,
  revocation,
  keyRotation,
])
export type AttributionLeaf = z.infer<typeof attributionLeaf>

/**
 * The leaf, if it is one that this log takes. Nothing is added, dropped or reordered.
 * @throws OpenLedgerError malformed with the first thing that is wrong
 */
export function parseLeaf(document: unknown): AttributionLeaf {
  const parsed = attributionLeaf.safeParse(document)
  if (parsed.success) return parsed.data
  const issue = parsed.error.issues[0]
  throw new OpenLedgerError('malformed', 'The log takes no such leaf', {
    expected: issue?.message ?? 'a leaf of a known kind',
    seen: issue === undefined || issue.path.length === 0 ? 'the leaf' : issue.path.join('.'),
    cause: parsed.error,
  })
}

/** What the scores of a period were, before they are paid: nobody can suit them to the payout later. */
export function scoresLeaf(period: number, scoresDigest: Sha256Hex): AttributionLeaf {
  return parseLeaf({ kind: 'scores', schema: 1, period, scoresDigest })
}

/** The payout of a period: its file, and the root and total (base units) that went to the chain. */
export function payoutLeaf(given: {
  period: number
  root: Bytes32 | null
  total: bigint
  fileSha256: Sha256Hex
}): AttributionLeaf {
  return parseLeaf({ kind: 'payout', schema: 1, ...given, total: given.total.toString() })
}

/** A contributor takes a submission back; its seed is destroyed with it. */
export function revocationLeaf(message: Message<'Revocation'>, signature: Hex): AttributionLeaf {
  return parseLeaf({
    kind: 'revocation',
    schema: 1,
    message: messageToJson('Revocation', message),
    signature,
  })
}

/** An account gets another key; the account stays the same. */
export function keyRotationLeaf(message: Message<'KeyRotation'>, signature: Hex): AttributionLeaf {
  return parseLeaf({
    kind: 'key-rotation',
    schema: 1,
    message: messageToJson('KeyRotation', message),
    signature,
  })
}
