import * as z from 'zod'
import { address, bytes32, instant, nonce, ppm, receipt, sha256, signature } from './common.ts'
import { datanetTerms } from './governance.ts'

/** Counts by machine-readable code, such as `near-copy` or `wrong-shape`. */
const countsByCode = z.record(z.string(), z.int())
const reason = z.object({ code: z.string(), expected: z.string(), seen: z.string() })

const submissionState = z.enum([
  'registered',
  'expired',
  'in-intake',
  'accepted',
  'partly-accepted',
  'rejected',
  'quarantined',
])

export const datanetView = z.object({
  id: bytes32,
  terms: datanetTerms,
  proposalId: bytes32,
  openedAt: instant,
  logIndex: z.int().nullable(),
  /** False until its evaluation sets, whose digests the terms commit, are in place. */
  takesSubmissions: z.boolean(),
  missingSets: z.array(sha256),
  counts: z.object({
    submissions: z.int(),
    outcomes: countsByCode,
    acceptedRecords: z.int(),
    refusedRecords: countsByCode,
  }),
})
export type DatanetView = z.infer<typeof datanetView>

export const vouchAccount = z.strictObject({
  governor: address,
  /** 0 takes an earlier vouch back, 1 vouches for a contributor, 2 for a validator too. */
  level: z.union([z.literal(0), z.literal(1), z.literal(2)]),
  nonce,
  signature,
})
const vouchView = z.object({
  governor: address,
  level: z.int(),
  nonce,
  receivedAt: instant,
  logIndex: z.int().nullable(),
})
export const accountView = z.object({
  account: address,
  /** The highest level that a governor's last word gives it; 0 is unvetted. */
  level: z.int(),
  vouches: z.array(vouchView),
})
export type AccountView = z.infer<typeof accountView>

/** The signed manifest of one upload, with the texts that the signed message holds digests of. */
export const registerSubmission = z.strictObject({
  contributor: address,
  objectDigest: sha256,
  sizeBytes: z.int().min(1).max(5_000_000_000),
  /** Lines of the object. */
  recordCount: z.int().min(1).max(10_000_000),
  recordsRoot: sha256,
  license: z.string().min(2).max(40),
  /** The words that the contributor agrees to; the signed message holds their keccak256. */
  consent: z.string().min(10).max(20_000),
  nonce,
  deadline: instant,
  /** 32 bytes in hex, drawn by the client: salts of the record hashes are made from it. Kept secret. */
  seed: z.string().regex(/^[0-9a-f]{64}$/, 'expected a seed: 64 lower-case hex digits'),
  signature,
})
export type RegisterSubmission = z.infer<typeof registerSubmission>

const uploadTicket = z.object({
  method: z.literal('PUT'),
  url: z.string(),
  /** All of them are part of the signature: send them exactly. */
  headers: z.record(z.string(), z.string()),
  expiresAt: instant,
})
export const registered = z.object({
  submissionId: bytes32,
  /** Position among the submissions of the Datanet, from 1. */
  sequence: z.int(),
  state: submissionState,
  /** null when the bytes are there already or the deadline is over. */
  upload: uploadTicket.nullable(),
})

export const submissionSummary = z.object({
  id: bytes32,
  datanetId: bytes32,
  contributor: address,
  sequence: z.int(),
  state: submissionState,
  objectDigest: sha256,
  sizeBytes: z.int(),
  recordCount: z.int(),
  license: z.string(),
  registeredAt: instant,
  receivedAt: instant.nullable(),
  decidedAt: instant.nullable(),
  acceptedRecords: z.int(),
  refusedRecords: countsByCode,
  /** Why the object as a whole was rejected or quarantined. */
  reasons: z.array(reason),
  logIndex: z.int().nullable(),
})
export type SubmissionSummary = z.infer<typeof submissionSummary>

export const submissionView = submissionSummary.extend({
  /** The first refused lines, at most 500, with what to change. */
  refusals: z.array(
    reason.extend({
      line: z.int(),
      copyOf: z.object({ submissionId: bytes32, line: z.int() }).optional(),
    }),
  ),
  receipt: receipt.nullable(),
  acceptedRoot: sha256.nullable(),
  /** Path of the proof that the outcome is in the log; null before. */
  proof: z.string().nullable(),
})

export const frozenDatasetView = z.object({
  id: bytes32,
  frozenAt: instant,
  logIndex: z.int().nullable(),
  manifest: z.object({
    schema: z.literal(1),
    deploymentId: bytes32,
    datanetId: bytes32,
    logSize: z.int(),
    trainRoot: sha256,
    devRoot: sha256,
    trainRecords: z.int(),
    devRecords: z.int(),
    leftOutRecords: z.int(),
    splitBy: z.enum(['contributor', 'group', 'key', 'none']),
    rules: z.object({ devSharePpm: ppm, maxRecordsPerUnvettedAccount: z.int(), maxUnvettedSharePpm: ppm }),
    contributors: z.record(address, z.int()),
    estimatedCostUsdMicro: z.int(),
  }),
  /** Path of the proof that it is in the log. */
  proof: z.string(),
  /** Public files: the manifest and the sorted record hashes of each part. */
  files: z.object({ manifest: z.string(), trainHashes: z.string(), devHashes: z.string() }),
})
export type FrozenDatasetView = z.infer<typeof frozenDatasetView>

/** RFC 6962 inclusion of one leaf under the head that was signed last. */
export const leafProof = z.object({
  leafHash: sha256,
  index: z.int(),
  /** The leaf as it was logged: canonical JSON. Its RFC 6962 leaf hash is `leafHash`. */
  entry: z.string(),
  /** Hashes of the neighbors, from the leaf up. */
  proof: z.array(sha256),
  /** The signed head (C2SP signed-note of a tlog-checkpoint). */
  checkpoint: z.string(),
})
export const consistencyProof = z.object({ first: z.int(), second: z.int(), proof: z.array(sha256) })
export const checkpoint = z.object({
  origin: z.string(),
  size: z.int(),
  root: z.string(),
  checkpoint: z.string(),
})
export const logGenesis = z.object({
  index: z.int(),
  leafHash: sha256,
  document: z.record(z.string(), z.unknown()),
})
