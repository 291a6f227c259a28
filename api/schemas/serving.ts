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

export const modelList = z.object({
  object: z.literal('list'),
  data: z.array(
    z.object({
      id: z.string(),
      object: z.literal('model'),
      created: z.int(),
      owned_by: z.string(),
      version: bytes32,
    }),
  ),
})

/**
 * An API key is bought by an on-chain deposit: `RewardClaims.fund` by `account` in `depositTx`. The client
 * makes the key and sends only its SHA-256, so the service never holds one that it could leak.
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
