import fc from 'fast-check'
import type { ChatCompletion } from '../../api/schemas/serving.ts'
import { keyHashOf, keyIdOf, presentedKey } from '../../domain/serving/api-key.ts'
import { costWei, mostTokens, parsePrices, priceOf } from '../../domain/serving/price.ts'
import { periodOf } from '../../domain/serving/usage.ts'
import { proveRuns } from '../support/prove-runs.ts'

const aPrice = { promptPerMillionWei: 3n, completionPerMillionWei: 7n }
const tokens = fc.record({ promptTokens: fc.nat(200_000), completionTokens: fc.nat(8_192) })
const price = fc.record({
  promptPerMillionWei: fc.bigInt(0n, 10n ** 30n),
  completionPerMillionWei: fc.bigInt(0n, 10n ** 30n),
})
const request = (content: string, max_tokens?: number): ChatCompletion => ({
  model: 'm',
  messages: [{ role: 'user', content }],
  ...(max_tokens === undefined ? {} : { max_tokens }),
})

describe('what a completion costs', () => {
  test('a million tokens cost the price, and a part of a base unit costs a whole one', () => {
    expect(costWei(aPrice, { promptTokens: 1_000_000, completionTokens: 0 })).toBe(3n)
    expect(costWei(aPrice, { promptTokens: 1_000_000, completionTokens: 1_000_000 })).toBe(10n)
    expect(costWei(aPrice, { promptTokens: 1, completionTokens: 0 })).toBe(1n)
    expect(costWei(aPrice, { promptTokens: 0, completionTokens: 0 })).toBe(0n)
  })

  test('is never below the exact price, and above it by less than one base unit', () => {
    fc.assert(
      fc.property(price, tokens, (price, tokens) => {
        const exact =
          price.promptPerMillionWei * BigInt(tokens.promptTokens) +
          price.completionPerMillionWei * BigInt(tokens.completionTokens)
        const cost = costWei(price, tokens) * 1_000_000n
        expect(cost).toBeGreaterThanOrEqual(exact)
        expect(cost - exact).toBeLessThan(1_000_000n)
      }),
      proveRuns(),
    )
  })

  test('a reservation covers every answer that the request allows', () => {
    fc.assert(
      fc.property(
        price,
        fc.string({ unit: 'binary', maxLength: 300 }),
        fc.integer({ min: 1, max: 4_096 }),
        fc.double({ min: 0, max: 1, noNaN: true }),
        (price, text, max, share) => {
          const most = mostTokens(request(text, max))
          // No byte-pair tokenizer makes more tokens of a text than it has bytes.
          const used = {
            promptTokens: Math.floor(share * Buffer.byteLength(text)),
            completionTokens: Math.floor(share * max),
          }
          expect(costWei(price, used)).toBeLessThanOrEqual(costWei(price, most))
        },
      ),
      proveRuns(),
    )
  })

  test('a profile without a price is not served', () => {
    const prices = parsePrices('{"small":{"promptPerMillionWei":"5","completionPerMillionWei":"6"}}')
    expect(priceOf(prices, 'small')).toEqual({ promptPerMillionWei: 5n, completionPerMillionWei: 6n })
    expect(() => parsePrices('{"small":{"promptPerThousandWei":"5"}}')).toThrow(/promptPerMillionWei/)
    expect(() => priceOf(prices, 'large')).toThrow(expect.objectContaining({ code: 'model-not-served' }))
  })
})

describe('keys and periods', () => {
  test('a day of UTC is one period of 86,400 seconds', () => {
    const midnight = Date.parse('2026-03-01T00:00:00.000Z')
    expect(periodOf(midnight, 86_400)).toBe(midnight / 86_400_000)
    expect(periodOf(midnight - 1, 86_400)).toBe(midnight / 86_400_000 - 1)
  })

  test('only a well-formed bearer key is looked up', () => {
    const text = `olk_${'a'.repeat(43)}`
    expect(presentedKey(`Bearer ${text}`)).toBe(keyHashOf(text))
    expect(presentedKey(`bearer  ${text}`)).toBe(keyHashOf(text))
    expect(keyIdOf(keyHashOf(text))).toBe(`key_${keyHashOf(text).slice(2, 22)}`)
    for (const wrong of [undefined, '', 'Bearer', `Basic ${text}`]) {
      expect(() => presentedKey(wrong)).toThrow(expect.objectContaining({ code: 'key-missing' }))
    }
    for (const wrong of ['sk-123', `${text}a`, text.slice(0, -1)]) {
      expect(() => presentedKey(`Bearer ${wrong}`)).toThrow(expect.objectContaining({ code: 'key-invalid' }))
    }
  })
})
