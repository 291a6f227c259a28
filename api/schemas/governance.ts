import * as z from 'zod'
import {
  address,
  baseUnits,
  bytes32,
  instant,
  nonce,
  ppm,
  receipt,
  sha256,
  signature,
  slug,
} from './common.ts'

/** Rules under which a proposal is reviewed, voted and executed. A proposal names their digest. */
export const rules = z.strictObject({
  schema: z.literal(1),
  name: z.string().min(1).max(60),
  proposalThresholdWei: baseUnits,
  reviewSeconds: z.int().min(1).max(2_592_000),
  votingDelaySeconds: z.int().min(0).max(2_592_000),
  votingPeriodSeconds: z.int().min(1).max(7_776_000),
  /** Share of the total supply at opensAt. */
  quorumPpm: ppm,
  quorumCounts: z.enum(['for-and-abstain', 'for']),
  timelockSeconds: z.int().min(0).max(7_776_000),
  /** How long after the timelock a passed proposal may still be executed. */
  executionWindowSeconds: z.int().min(60).max(7_776_000),
})
export type Rules = z.infer<typeof rules>

/** n is fixed before the vote; margins are ppm of exact match. */
export const gateRule = z.strictObject({
  targetLowerBoundPpm: z.int().min(-1_000_000).max(1_000_000),
  guardMarginPpm: ppm,
  evaluationItems: z.int().min(200).max(100_000),
})
export type GateRule = z.infer<typeof gateRule>

export const datanetTerms = z.strictObject({
  schema: z.literal(1),
  slug,
  title: z.string().min(3).max(120),
  purpose: z.string().min(10).max(2_000),
  recordProfile: z.enum(['instruction']),
  /** Put before every record and every served conversation without one of its own. */
  systemPrompt: z.string().max(500),
  licenses: z
    .array(z.string().regex(/^[A-Za-z0-9.+-]{2,40}$/))
    .min(1)
    .max(20),
  baseModel: sha256,
  modelProfile: slug,
  /** Digests of files that nobody may train on, committed in the log before intake opens. */
  sealedSet: z.strictObject({ digest: sha256, items: z.int().min(1) }),
  /** What contributors' usefulness is measured on, by turns: period p takes the one at p modulo their number. */
  usefulnessSets: z
    .array(z.strictObject({ digest: sha256, items: z.int().min(1) }))
    .min(1)
    .max(60),
  /** The worked examples that the few-shot baseline is shown. */
  shotSet: z.strictObject({ digest: sha256, items: z.int().min(1) }),
  /** How the untuned model is measured when the Datanet opens; a build names its own recipe. */
  recipe: sha256,
  maxSubmissionBytes: z.int().min(1_000).max(5_000_000_000),
  maxRecordsPerUnvettedAccount: z.int().min(0).max(100_000),
})
export type DatanetTerms = z.infer<typeof datanetTerms>

const datasetReference = z.strictObject({
  datasetId: bytes32,
  trainRoot: sha256,
  trainRecords: z.int().min(1),
  logSize: z.int().min(1),
})

export const fineTuneInput = z.strictObject({
  datanetId: bytes32,
  dataset: datasetReference,
  baseModel: sha256,
  modelProfile: slug,
  /** SHA-256 of the canonical JSON of the model profile's recipe: what runs is what was voted. */
  recipe: sha256,
  sealedSet: sha256,
  shotSet: sha256,
  gate: gateRule,
})
export type FineTuneInput = z.infer<typeof fineTuneInput>

export const alignInput = z.strictObject({
  datanetId: bytes32,
  parentVersion: bytes32,
  modelProfile: slug,
  recipe: sha256,
  promptSet: sha256,
  goldSet: sha256,
  sealedSet: sha256,
  judgmentsPerPair: z.int().min(1).max(50),
  roundSeconds: z.int().min(10).max(2_592_000),
  /** Questions that the reward learns from and by which the candidate has to win the second round; the others are guards. */
  targets: z
    .array(z.enum(['ethics', 'logic', 'function']))
    .min(1)
    .max(3),
  gate: gateRule,
})
export type AlignInput = z.infer<typeof alignInput>

export const releaseInput = z.strictObject({ datanetId: bytes32, version: bytes32, alias: slug })
export type ReleaseInput = z.infer<typeof releaseInput>

/** `build` votes fine-tune, align and release at once; each later input is the output of the step before. */
export const buildInput = z.strictObject({
  fineTune: fineTuneInput,
  align: alignInput.omit({ parentVersion: true }).optional(),
  release: releaseInput.omit({ version: true }),
})
export type BuildInput = z.infer<typeof buildInput>

const budget = { budgetUsdMicro: z.int().min(0).max(1_000_000_000_000) }
export const action = z.discriminatedUnion('type', [
  z.strictObject({ type: z.literal('open-datanet'), input: datanetTerms, ...budget }),
  z.strictObject({ type: z.literal('build'), input: buildInput, ...budget }),
  z.strictObject({ type: z.literal('fine-tune'), input: fineTuneInput, ...budget }),
  z.strictObject({ type: z.literal('align'), input: alignInput, ...budget }),
  z.strictObject({ type: z.literal('release'), input: releaseInput, ...budget }),
  z.strictObject({ type: z.literal('text'), input: z.strictObject({}), ...budget }),
])
export type Action = z.infer<typeof action>

/** The canonical JSON of this document is what the proposer signs; its keccak256 is the proposal's id. */
export const proposalDocument = z.strictObject({
  schema: z.literal(1),
  deploymentId: bytes32,
  proposer: address,
  nonce,
  title: z.string().min(3).max(120),
  summary: z.string().max(4_000),
  rules: bytes32,
  opensAt: instant,
  closesAt: instant,
  action,
  supersedes: bytes32.optional(),
})
export type ProposalDocument = z.infer<typeof proposalDocument>

export const submitProposal = z.strictObject({ document: proposalDocument, signature })
export const proposalState = z.enum([
  'in-review',
  'pending',
  'active',
  'closing',
  'rejected',
  'lapsed',
  'defeated',
  'queued',
  'executed',
  'expired',
  'disputed',
])
export type ProposalState = z.infer<typeof proposalState>

export const submitReview = z.strictObject({
  governor: address,
  decision: z.enum(['admit', 'reject']),
  reason: z.string().min(3).max(2_000),
  nonce,
  signature,
})
export const review = submitReview.extend({ receivedAt: instant })

export const support = z.union([z.literal(0), z.literal(1), z.literal(2)])
export const castBallot = z.strictObject({
  voter: address,
  support,
  nonce,
  reason: z.string().max(500).default(''),
  signature,
})
export type CastBallot = z.infer<typeof castBallot>
export const castBallotAnswer = z.object({
  proposalId: bytes32,
  voter: address,
  counted: z.boolean(),
  powerWei: baseUnits,
  /** null when the signature could not be made now; the ballot counts, and the receipt can be asked for again. */
  receipt: receipt.nullable(),
})

export const tally = z.object({
  againstWei: baseUnits,
  forWei: baseUnits,
  abstainWei: baseUnits,
  voters: z.int(),
})
export const result = z.object({
  outcome: z.enum(['passed', 'defeated', 'disputed']),
  tally,
  quorumWei: baseUnits,
  totalSupplyWei: baseUnits,
  ballotFile: z.object({ key: z.string(), sha256 }),
  closedAt: instant,
  executableAt: instant.nullable(),
  reason: z.string(),
})
export const warrantDocument = z.strictObject({
  schema: z.literal(1),
  deploymentId: bytes32,
  proposalId: bytes32,
  action: z.enum(['open-datanet', 'fine-tune', 'align', 'release']),
  inputHash: bytes32,
  budgetUsdMicro: z.int().min(0),
  expiresAt: instant,
  ballotFileSha256: sha256,
})
export type WarrantDocument = z.infer<typeof warrantDocument>
export const warrant = z.object({
  id: bytes32,
  document: warrantDocument,
  signature,
  attempts: z.int(),
  succeeded: z.boolean(),
  /** One run id an attempt, first to last. */
  runs: z.array(bytes32),
})

export const proposalView = z.object({
  id: bytes32,
  state: proposalState,
  submittedAt: instant,
  document: proposalDocument,
  reviews: z.array(review.omit({ signature: true })),
  governorsNeeded: z.int(),
  /** Counters while the vote is open (`estimate: true`), the recount after it. */
  tally: tally.extend({ estimate: z.boolean() }),
  quorumWei: baseUnits.nullable(),
  result: result.nullable(),
  warrants: z.array(warrant),
  outcome: z.record(z.string(), z.string()).nullable(),
})
export type ProposalView = z.infer<typeof proposalView>

export const power = z.object({
  address,
  powerWei: baseUnits,
  balanceWei: baseUnits,
  delegate: address.nullable(),
  block: z.object({ number: z.int(), hash: bytes32, timestamp: instant }),
  /** Says what to do when the power is zero. */
  hint: z.string().nullable(),
})

export const genesis = z.object({
  schema: z.literal(1),
  deploymentId: bytes32,
  stage: z.string(),
  chainId: z.int(),
  gOpen: address,
  openToken: address,
  rewardClaims: address,
  governors: z.object({ addresses: z.array(address), threshold: z.int() }),
  rules,
  rulesDigest: bytes32,
  rehearsal: z.boolean(),
  signers: z.object({ receipt: address, warrant: address, payout: address, logHead: z.string() }),
  /** Where the public files are read from: `GET {baseUrl}/v1/files/{key}`. */
  logOrigin: z.string(),
})
export type GenesisView = z.infer<typeof genesis>
