import * as z from 'zod'
import { address, bytes32, idParams, pageQuery, receipt } from './schemas/common.ts'
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
