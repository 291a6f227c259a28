import * as z from 'zod'
import { baseUnits } from '../../api/schemas/common.ts'
import type { ChatCompletion } from '../../api/schemas/serving.ts'
import { OpenLedgerError } from '../errors.ts'

/** Base units of the stage's token for a million tokens of each kind. */
export type Price = { readonly promptPerMillionWei: bigint; readonly completionPerMillionWei: bigint }
export type Tokens = { readonly promptTokens: number; readonly completionTokens: number }

const MILLION = 1_000_000n
/** What a completion may be long when the request does not say: enough for an answer, cheap to reserve. */
export const DEFAULT_MAX_TOKENS = 512
/** Marks of a chat template around a message and around the whole; no known template uses half of it. */
const TEMPLATE_TOKENS_PER_MESSAGE = 16
const TEMPLATE_TOKENS = 64
/** Text of most languages has more bytes than this to a token. */
const LEAST_BYTES_PER_TOKEN = 4

const priceText = z.object({ promptPerMillionWei: baseUnits, completionPerMillionWei: baseUnits })

/** Prices by model profile, as the stage's config has them: decimal strings. @throws ZodError naming the field */
export function parsePrices(json: string): ReadonlyMap<string, Price> {
  const given = z.record(z.string(), priceText).parse(JSON.parse(json))
  return new Map(
    Object.entries(given).map(([profile, price]) => [
      profile,
      {
        promptPerMillionWei: BigInt(price.promptPerMillionWei),
        completionPerMillionWei: BigInt(price.completionPerMillionWei),
      },
    ]),
  )
}

/** @throws OpenLedgerError model-not-served for a profile that the stage has no price for */
export function priceOf(prices: ReadonlyMap<string, Price>, profile: string): Price {
  const price = prices.get(profile)
  if (price !== undefined) return price
  throw new OpenLedgerError('model-not-served', 'This stage has no price for the model', {
    expected: [...prices.keys()].join(', '),
    seen: profile,
  })
}

/** Multiply first, one division, rounded up: a request that used something costs something. */
export function costWei(price: Price, { promptTokens, completionTokens }: Tokens): bigint {
  const exact =
    price.promptPerMillionWei * BigInt(promptTokens) +
    price.completionPerMillionWei * BigInt(completionTokens)
  return (exact + MILLION - 1n) / MILLION
}

export function maxTokensOf(request: ChatCompletion): number {
  return request.max_completion_tokens ?? request.max_tokens ?? DEFAULT_MAX_TOKENS
}

/**
 * The most that a request can use. No tokenizer of byte pairs makes more tokens than bytes, so the bound needs
 * none.
 */
export function mostTokens(request: ChatCompletion): Tokens {
  const template = TEMPLATE_TOKENS + TEMPLATE_TOKENS_PER_MESSAGE * request.messages.length
  return { promptTokens: promptBytes(request) + template, completionTokens: maxTokensOf(request) }
}

/** What a caller who left before the model had counted is charged for at least, in his favor. */
export function leastTokens(request: ChatCompletion, piecesSent: number): Tokens {
  return {
    promptTokens: Math.ceil(promptBytes(request) / LEAST_BYTES_PER_TOKEN),
    completionTokens: piecesSent,
  }
}

function promptBytes({ messages }: ChatCompletion): number {
  return messages.reduce(
    (sum, { content, name = '' }) => sum + Buffer.byteLength(content) + Buffer.byteLength(name),
    0,
  )
}
