import * as z from 'zod'
import { address, baseUnits, bytes32, instant, nonce, signature } from './common.ts'

/** The subset of OpenAI's chat completion request that is honored; unknown fields are refused, not ignored. */
export const chatCompletion = z.strictObject({
  model: z.string().min(1).max(100),
  messages: z
    .array(
      z.strictObject({
        role: z.enum(['system', 'user', 'assistant']),
        content: z.string().max(100_000),
        name: z.string().max(64).optional(),
      }),
    )
    .min(1)
    .max(200),
  max_tokens: z.int().min(1).max(4_096).optional(),
  max_completion_tokens: z.int().min(1).max(4_096).optional(),
  temperature: z.number().min(0).max(2).optional(),
  top_p: z.number().min(0).max(1).optional(),
  seed: z.int().optional(),
  stop: z.union([z.string(), z.array(z.string()).max(4)]).optional(),
  stream: z.boolean().optional(),
  stream_options: z.strictObject({ include_usage: z.boolean().optional() }).optional(),
  user: z.string().max(200).optional(),
})
export type ChatCompletion = z.infer<typeof chatCompletion>

/** Tokens as the model's own tokenizer counted them. */
export const chatUsage = z.looseObject({
  prompt_tokens: z.int().min(0),
  completion_tokens: z.int().min(0),
  total_tokens: z.int().min(0),
  /** What the request cost in base units. */
  charged_wei: baseUnits.optional(),
})
export type ChatUsage = z.infer<typeof chatUsage>

/** OpenAI's answer object. Fields that a serving container adds are passed through. */
export const chatCompletionAnswer = z.looseObject({
  id: z.string(),
  object: z.literal('chat.completion'),
  created: z.int(),
  model: z.string(),
  choices: z.array(
    z.looseObject({
      index: z.int(),
      message: z.looseObject({ role: z.string(), content: z.string().nullable() }),
      finish_reason: z.string().nullable(),
    }),
  ),
  usage: chatUsage,
})
export type ChatCompletionAnswer = z.infer<typeof chatCompletionAnswer>

/** One `data:` of a streamed answer; the last one before `[DONE]` may have usage and no choices. */
export const chatCompletionChunk = z.looseObject({
  id: z.string(),
  object: z.literal('chat.completion.chunk'),
  created: z.int(),
  model: z.string(),
  choices: z.array(
    z.looseObject({
      index: z.int(),
      delta: z.looseObject({ role: z.string().nullish(), content: z.string().nullish() }),
      finish_reason: z.string().nullish(),
    }),
  ),
  usage: chatUsage.nullish(),
})
export type ChatCompletionChunk = z.infer<typeof chatCompletionChunk>

/** OpenAI's error object: the answer of a refusal under the model routes, and the last event of a broken stream. */
export const chatFailure = z.object({
  error: z.object({
    message: z.string(),
    type: z.string(),
    param: z.string().nullable(),
    code: z.string().nullable(),
  }),
})

export const modelList = z.object({
  object: z.literal('list'),
  data: z.array(
    z.object({
      id: z.string(),
      object: z.literal('model'),
      created: z.int(),
      owned_by: z.string(),
      version: bytes32,
      /** What takes its place at once when the version is switched back. */
      previous_version: bytes32.nullable(),
    }),
  ),
})

/**
 * An API key is bought by an on-chain deposit: `RewardClaims.fund` by `account` in `depositTx`. The client
 * makes the key (`olk_` and 32 random bytes in base64url) and sends only the keccak256 of its text, so the service
 * never holds one that it could leak.
 */
export const createKey = z.strictObject({
  account: address,
  keyHash: bytes32,
  depositTx: bytes32,
  nonce,
  signature,
})
export const keyView = z.object({
  keyId: z.string(),
  account: address,
  creditWei: baseUnits,
  reservedWei: baseUnits,
  spentWei: baseUnits,
  createdAt: instant,
  usage: z.object({ requests: z.int(), promptTokens: z.int(), completionTokens: z.int() }),
})
