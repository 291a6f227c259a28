import * as z from 'zod'
import { bytes32, instant, ppm, sha256 } from './common.ts'

export const score = z.object({ exactMatch: ppm, low: ppm, high: ppm, n: z.int() })
export const runStep = z.object({
  name: z.string(),
  state: z.enum(['running', 'done', 'failed', 'skipped']),
  startedAt: instant,
  endedAt: instant.nullable(),
  jobName: z.string().nullable(),
  detail: z.record(z.string(), z.unknown()),
})
export const runView = z.object({
  id: bytes32,
  kind: z.enum(['fine-tune', 'align', 'release', 'settle-payouts']),
  proposalId: bytes32.nullable(),
  warrantId: bytes32.nullable(),
  attempt: z.int(),
  state: z.enum(['running', 'succeeded', 'failed', 'gate-failed']),
  startedAt: instant,
  endedAt: instant.nullable(),
  failure: z.object({ error: z.string(), cause: z.string() }).nullable(),
  steps: z.array(runStep),
  /** Training metrics as they arrive: one point a logged step. */
  metrics: z.array(
    z.object({
      step: z.int(),
      /** How many steps the job will take in all. */
      maxSteps: z.int().nullable(),
      loss: z.number(),
      /** Mean reward of the answers, in reinforcement learning: its loss says nothing. */
      reward: z.number().nullable(),
      tokensPerSecond: z.number().nullable(),
    }),
  ),
  output: z.record(z.string(), z.unknown()).nullable(),
})
export type RunView = z.infer<typeof runView>

/** Everything that a version came from. Its canonical JSON's keccak256 is the version's id. */
export const lineage = z.strictObject({
  schema: z.literal(1),
  deploymentId: bytes32,
  kind: z.enum(['fine-tune', 'align']),
  datanetId: bytes32,
  parent: z.string(),
  baseModel: sha256,
  warrantId: bytes32,
  proposalId: bytes32,
  runId: bytes32,
  dataset: z.strictObject({ datasetId: bytes32, trainRoot: sha256, logSize: z.int() }).nullable(),
  round: bytes32.nullable(),
  recipe: sha256,
  code: sha256,
  jobs: z.array(z.strictObject({ name: z.string(), program: z.string(), image: z.string() })),
  weights: z.strictObject({
    key: z.string(),
    merged: sha256,
    adapter: sha256,
    tokenizer: sha256,
    chatTemplate: sha256,
  }),
  scores: z.record(z.string(), score),
  gate: z.strictObject({
    passed: z.boolean(),
    differencePpm: z.int(),
    lowPpm: z.int(),
    highPpm: z.int(),
    n: z.int(),
  }),
})
export type Lineage = z.infer<typeof lineage>
export const versionView = z.object({
  id: bytes32,
  lineage,
  createdAt: instant,
  promoted: z.boolean(),
  /** The canonical lineage as a public file. */
  lineageFile: z.string(),
})
