import * as z from 'zod'
import * as alignment from './schemas/alignment.ts'
import { address, bytes32, idParams, pageQuery, receipt, sha256 } from './schemas/common.ts'
import * as data from './schemas/data.ts'
import * as governance from './schemas/governance.ts'
import * as serving from './schemas/serving.ts'
import * as training from './schemas/training.ts'

/**
 * The one table of the HTTP interface: infra makes the gateway and its OpenAPI document of it, the local
 * edge routes by it, `endpoint()` checks requests with it, and `client.ts` takes its types.
 */
export type Route = {
  readonly method: 'GET' | 'POST' | 'PUT' | 'DELETE'
  /** API Gateway syntax: `{name}` is one segment, `{name+}` the rest. */
  readonly path: string
  /** The function's entry: `functions/<handler>.ts`. */
  readonly handler: string
  readonly summary: string
  /** `none`: public, or authenticated by a signature in the body. `key`: an API key as bearer token. */
  readonly auth: 'none' | 'key'
  readonly streamed?: true
  readonly params?: z.ZodObject
  readonly query?: z.ZodObject
  readonly body?: z.ZodType
  readonly response: z.ZodType
}

const page = <T extends z.ZodType>(item: T) =>
  z.object({ items: z.array(item), cursor: z.string().nullable() })

export const routes = {
  getOpenApi: {
    method: 'GET',
    path: '/openapi.json',
    handler: 'http/get-open-api',
    summary: 'This interface as an OpenAPI document.',
    auth: 'none',
    response: z.record(z.string(), z.unknown()),
  },
  getGenesis: {
    method: 'GET',
    path: '/v1/genesis',
    handler: 'governance/get-genesis',
    summary: 'Deployment id, chain, contracts, governors, rules and signers: what a client signs against.',
    auth: 'none',
    response: governance.genesis,
  },
  getFile: {
    method: 'GET',
    path: '/v1/files/{key+}',
    handler: 'governance/get-file',
    summary: 'A public file (ballot files, log tiles, lineages, payout files) as a redirect to its bytes.',
    auth: 'none',
    params: z.strictObject({ key: z.string().min(1).max(1_000) }),
    response: z.null(),
  },
  submitProposal: {
    method: 'POST',
    path: '/v1/proposals',
    handler: 'governance/submit-proposal',
    summary: 'Submit a signed proposal document.',
    auth: 'none',
    body: governance.submitProposal,
    response: z.object({ id: bytes32, state: governance.proposalState, receipt: receipt.nullable() }),
  },
  listProposals: {
    method: 'GET',
    path: '/v1/proposals',
    handler: 'governance/list-proposals',
    summary: 'Proposals, newest first.',
    auth: 'none',
    query: pageQuery,
    response: page(governance.proposalView),
  },
  getProposal: {
    method: 'GET',
    path: '/v1/proposals/{id}',
    handler: 'governance/get-proposal',
    summary: 'A proposal with its state, reviews, tally, result and warrants.',
    auth: 'none',
    params: idParams,
    response: governance.proposalView,
  },
  submitReview: {
    method: 'POST',
    path: '/v1/proposals/{id}/reviews',
    handler: 'governance/submit-review',
    summary: 'A Protocol Governor admits or rejects a proposal, with a public reason.',
    auth: 'none',
    params: idParams,
    body: governance.submitReview,
    response: z.object({ proposalId: bytes32, admits: z.int(), rejects: z.int(), admitted: z.boolean() }),
  },
  castBallot: {
    method: 'POST',
    path: '/v1/proposals/{id}/ballots',
    handler: 'governance/cast-ballot',
    summary: "Cast a signed ballot, or replace one's own by a higher nonce.",
    auth: 'none',
    params: idParams,
    body: governance.castBallot,
    response: governance.castBallotAnswer,
  },
  getReceipt: {
    method: 'GET',
    path: '/v1/proposals/{id}/ballots/{voter}/receipt',
    handler: 'governance/get-receipt',
    summary: "The receipt of a voter's counted ballot, made again when the first answer was lost.",
    auth: 'none',
    params: z.strictObject({ id: bytes32, voter: address }),
    response: governance.castBallotAnswer,
  },
  getPower: {
    method: 'GET',
    path: '/v1/power/{address}',
    handler: 'governance/get-power',
    summary: 'Voting power of an address now, and why it is zero when it is.',
    auth: 'none',
    params: z.strictObject({ address }),
    response: governance.power,
  },
  logGenesis: {
    method: 'POST',
    path: '/v1/genesis',
    handler: 'data/log-genesis',
    summary: 'Write the genesis document as leaf 0 of the log; asked again, say where it is.',
    auth: 'none',
    response: data.logGenesis,
  },
  getLogCheckpoint: {
    method: 'GET',
    path: '/v1/log/checkpoint',
    handler: 'data/get-log-checkpoint',
    summary: 'The signed head of the log.',
    auth: 'none',
    response: data.checkpoint,
  },
  getLogProof: {
    method: 'GET',
    path: '/v1/log/proof',
    handler: 'data/get-log-proof',
    summary: 'Proof that a leaf is in the log, against the signed head.',
    auth: 'none',
    query: z.strictObject({ leaf: sha256 }),
    response: data.leafProof,
  },
  getLogConsistency: {
    method: 'GET',
    path: '/v1/log/consistency',
    handler: 'data/get-log-consistency',
    summary: 'Proof that the log of one size is a prefix of the log of another.',
    auth: 'none',
    query: z.strictObject({
      first: z.coerce.number().int().min(0),
      second: z.coerce.number().int().min(0),
    }),
    response: data.consistencyProof,
  },
  listDatanets: {
    method: 'GET',
    path: '/v1/datanets',
    handler: 'data/list-datanets',
    summary: 'Datanets, newest first.',
    auth: 'none',
    query: pageQuery,
    response: page(data.datanetView),
  },
  getDatanet: {
    method: 'GET',
    path: '/v1/datanets/{id}',
    handler: 'data/get-datanet',
    summary: 'A Datanet with its terms, its counts and whether it takes submissions.',
    auth: 'none',
    params: idParams,
    response: data.datanetView,
  },
  vouchAccount: {
    method: 'POST',
    path: '/v1/accounts/{address}/vouches',
    handler: 'data/vouch-account',
    summary: 'A Protocol Governor vouches for an account, or takes it back.',
    auth: 'none',
    params: z.strictObject({ address }),
    body: data.vouchAccount,
    response: data.accountView,
  },
  getAccount: {
    method: 'GET',
    path: '/v1/accounts/{address}',
    handler: 'data/get-account',
    summary: 'An account with the governors who vouch for it.',
    auth: 'none',
    params: z.strictObject({ address }),
    response: data.accountView,
  },
  registerSubmission: {
    method: 'POST',
    path: '/v1/datanets/{id}/submissions',
    handler: 'data/register-submission',
    summary: 'Register a signed upload and get the URL that takes its bytes.',
    auth: 'none',
    params: idParams,
    body: data.registerSubmission,
    response: data.registered,
  },
  listSubmissions: {
    method: 'GET',
    path: '/v1/datanets/{id}/submissions',
    handler: 'data/list-submissions',
    summary: 'Submissions of a Datanet, newest first.',
    auth: 'none',
    params: idParams,
    query: pageQuery,
    response: page(data.submissionSummary),
  },
  getSubmission: {
    method: 'GET',
    path: '/v1/submissions/{id}',
    handler: 'data/get-submission',
    summary: 'A submission with its outcome, the reason for each refused record, and its receipt.',
    auth: 'none',
    params: idParams,
    response: data.submissionView,
  },
  getSubmissionProof: {
    method: 'GET',
    path: '/v1/submissions/{id}/proof',
    handler: 'data/get-submission-proof',
    summary: 'Proof that the outcome of a submission is in the log.',
    auth: 'none',
    params: idParams,
    response: data.leafProof,
  },
  freezeDatanet: {
    method: 'POST',
    path: '/v1/datanets/{id}/frozen-datasets',
    handler: 'data/freeze-datanet',
    summary: 'Freeze what the Datanet has accepted; the same dataset until something new is accepted.',
    auth: 'none',
    params: idParams,
    response: data.frozenDatasetView,
  },
  getFrozenDataset: {
    method: 'GET',
    path: '/v1/frozen-datasets/{id}',
    handler: 'data/get-frozen-dataset',
    summary: 'A frozen dataset: its roots, counts, contributors and public files.',
    auth: 'none',
    params: idParams,
    response: data.frozenDatasetView,
  },
  listRuns: {
    method: 'GET',
    path: '/v1/runs',
    handler: 'training/list-runs',
    summary: 'Runs of the pipelines, newest first.',
    auth: 'none',
    query: pageQuery,
    response: page(training.runView.omit({ metrics: true, steps: true })),
  },
  getRun: {
    method: 'GET',
    path: '/v1/runs/{id}',
    handler: 'training/get-run',
    summary: 'A run with its steps, jobs and training metrics.',
    auth: 'none',
    params: idParams,
    response: training.runView,
  },
  getVersion: {
    method: 'GET',
    path: '/v1/versions/{id}',
    handler: 'training/get-version',
    summary: 'A model version with its lineage.',
    auth: 'none',
    params: idParams,
    response: training.versionView,
  },
  listRounds: {
    method: 'GET',
    path: '/v1/rounds',
    handler: 'alignment/list-rounds',
    summary: 'Rounds of judging, newest first.',
    auth: 'none',
    query: pageQuery,
    response: page(alignment.roundView),
  },
  getRound: {
    method: 'GET',
    path: '/v1/rounds/{id}',
    handler: 'alignment/get-round',
    summary: 'A round with its progress, and the scores of its validators once it is closed.',
    auth: 'none',
    params: idParams,
    response: alignment.roundView,
  },
  listTasks: {
    method: 'GET',
    path: '/v1/rounds/{id}/tasks',
    handler: 'alignment/list-tasks',
    summary: "A validator's tasks of a round, in the order to judge them.",
    auth: 'none',
    params: idParams,
    query: z.strictObject({ validator: address }),
    response: page(alignment.judgmentTask),
  },
  submitJudgment: {
    method: 'POST',
    path: '/v1/rounds/{id}/judgments',
    handler: 'alignment/submit-judgment',
    summary: 'A signed verdict on one task.',
    auth: 'none',
    params: idParams,
    body: alignment.submitJudgment,
    response: alignment.submitJudgmentAnswer,
  },
  listModels: {
    method: 'GET',
    path: '/v1/models',
    handler: 'serving/list-models',
    summary: 'The served models (aliases), in the shape of the OpenAI interface.',
    auth: 'none',
    response: serving.modelList,
  },
  createKey: {
    method: 'POST',
    path: '/v1/keys',
    handler: 'serving/create-key',
    summary: 'Register an API key (its hash) against an on-chain deposit.',
    auth: 'none',
    body: serving.createKey,
    response: serving.keyView,
  },
  getKey: {
    method: 'GET',
    path: '/v1/key',
    handler: 'serving/get-key',
    summary: 'Credit and usage of the presented key.',
    auth: 'key',
    response: serving.keyView,
  },
  createChatCompletion: {
    method: 'POST',
    path: '/v1/chat/completions',
    handler: 'serving/create-chat-completion',
    summary: 'Chat completion in the shape of the OpenAI interface, streamed or not.',
    auth: 'key',
    streamed: true,
    body: serving.chatCompletion,
    response: serving.chatCompletionAnswer,
  },
} as const satisfies Record<string, Route>

export type OperationId = keyof typeof routes
