import * as z from 'zod'
import { OpenLedgerError } from '../../domain/errors.ts'
import { parseJson, readBytes } from '../files.ts'

/**
 * What a verification reads, in one file that can be handed on: public files and log proofs as they were fetched.
 * Its members are not believed here; the verifier says what is wrong with them.
 */

const base64 = z.base64()
const logProof = z.record(z.string(), z.unknown())
const warrant = z.object({
  id: z.string(),
  document: z.unknown(),
  signature: z.string(),
  previousVersion: z.string().exactOptional(),
})
const schema = z.literal(1)

/** The published file (gzip of lines), and the proof of its leaf. */
const vote = { ballotFile: base64, voteProof: logProof.nullable() }

const ballotsEvidence = z.object({ kind: z.literal('ballots-evidence'), schema, ...vote })
const warrantEvidence = z.object({
  kind: z.literal('warrant-evidence'),
  schema,
  ...vote,
  /** In the order of their steps. */
  warrants: z.array(warrant).min(1),
})
const versionEvidence = z.object({
  kind: z.literal('version-evidence'),
  schema,
  versionId: z.string(),
  lineage: z.unknown(),
  warrant,
  ...vote,
  logProof: logProof.nullable(),
  parentLineage: z.unknown(),
})
const payoutEvidence = z.object({
  kind: z.literal('payout-evidence'),
  schema,
  /** Both as they were published: canonical JSON. */
  file: z.string(),
  previousFile: z.string().nullable(),
  scoresProof: logProof.nullable(),
  payoutProof: logProof.nullable(),
  /** The block at which the service read the revenue: whoever asks a chain asks at this one. */
  blockNumber: z.int().min(0).nullable(),
})
export type BallotsEvidence = z.infer<typeof ballotsEvidence>
export type WarrantEvidence = z.infer<typeof warrantEvidence>
export type VersionEvidence = z.infer<typeof versionEvidence>
export type PayoutEvidence = z.infer<typeof payoutEvidence>
export type Evidence = BallotsEvidence | WarrantEvidence | VersionEvidence | PayoutEvidence

/** RFC 1952: how gzip begins. */
const GZIP_MAGIC = [0x1f, 0x8b] as const

/** Evidence of a vote, or the bare ballot file. @throws OpenLedgerError not-found, malformed */
export function readBallotsFile(file: string): BallotsEvidence {
  const what =
    'a proposal ID (0x and 64 hex digits), a ballot file (.ndjson.gz), or what `verify ballots ID --save` wrote'
  const bytes = readBytes(file, what)
  if (bytes[0] === GZIP_MAGIC[0] && bytes[1] === GZIP_MAGIC[1])
    return { kind: 'ballots-evidence', schema: 1, ballotFile: toBase64(bytes), voteProof: null }
  return checked(ballotsEvidence, parseJson(new TextDecoder().decode(bytes), file, what), file, what)
}

/** @throws OpenLedgerError not-found, malformed */
export function readWarrantFile(file: string): WarrantEvidence {
  const what = 'a proposal ID (0x and 64 hex digits), or what `verify warrant ID --save` wrote'
  return checked(warrantEvidence, parseJson(textOf(file, what), file, what), file, what)
}

/** @throws OpenLedgerError not-found, malformed */
export function readVersionFile(file: string): VersionEvidence {
  const what = 'a version ID (0x and 64 hex digits), or what `verify version ID --save` wrote'
  return checked(versionEvidence, parseJson(textOf(file, what), file, what), file, what)
}

/** Evidence of a payout, or the bare payout file. @throws OpenLedgerError not-found, malformed */
export function readPayoutFile(file: string): PayoutEvidence {
  const what = 'a Datanet ID (0x and 64 hex digits), a payout file, or what `verify payout ID --save` wrote'
  const text = textOf(file, what)
  const value = parseJson(text, file, what)
  if ((value as { kind?: unknown } | null)?.kind === 'payout-evidence')
    return checked(payoutEvidence, value, file, what)
  const bare = { previousFile: null, scoresProof: null, payoutProof: null, blockNumber: null }
  return { kind: 'payout-evidence', schema: 1, file: text, ...bare }
}

export const toBase64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64')
export const fromBase64 = (text: string): Uint8Array => new Uint8Array(Buffer.from(text, 'base64'))

const textOf = (file: string, what: string) => new TextDecoder().decode(readBytes(file, what))

function checked<T>(shape: z.ZodType<T>, value: unknown, file: string, what: string): T {
  const outcome = shape.safeParse(value)
  if (outcome.success) return outcome.data
  const [issue] = outcome.error.issues
  throw new OpenLedgerError('malformed', `${file} is not the evidence that is asked for`, {
    expected: what,
    seen: `${issue?.path.join('.') || 'the whole'}: ${issue?.message ?? 'another shape'}`,
  })
}
