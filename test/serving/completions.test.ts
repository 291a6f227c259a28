import { setTimeout as sleep } from 'node:timers/promises'
import { UpdateInferenceComponentRuntimeConfigCommand } from '@aws-sdk/client-sagemaker'
import { modelCopies } from '../../adapters/sagemaker/model-copies.ts'
import { type ApiError, createClient } from '../../api/client.ts'
import type { ChatCompletionChunk } from '../../api/schemas/serving.ts'
import type { Alias } from '../../domain/serving/alias.ts'
import { sleepIdleModels } from '../../domain/serving/sleep-idle-models.ts'
import { type Edge, startEdge } from '../../local/edge/edge.ts'
import { eventually } from '../local/sagemaker-stage.ts'
import { EMULATOR_LIMIT_MS } from '../support/emulator.ts'
import { DATANET, hashOf, inService, type ServingStage, startServingStage } from './serving-stage.ts'

const HANDLER = 'serving/create-chat-completion'
/** Periods of the test stage last a hundred years. */
const NOW = 0

let stage: ServingStage
let edge: Edge
let ada: Alias
beforeAll(async () => {
  stage = await startServingStage()
  ada = await stage.served('ada', 'You name actions.')
  await stage.served('bob')
  edge = await startEdge({
    port: 0,
    emulatorUrl: stage.aws.url,
    apiId: 'none',
    stageName: 'v',
    environmentOfStreamedFunctions: { [HANDLER]: process.env as Record<string, string> },
    pagesDir: '/nowhere',
  })
}, EMULATOR_LIMIT_MS)
afterAll(async () => {
  await edge?.stop()
  await stage?.stop()
}, 30_000)

const client = (apiKey?: string) =>
  createClient({ baseUrl: edge.url, ...(apiKey === undefined ? {} : { apiKey }) })
const says = (content: string, max_tokens?: number) => ({
  model: 'ada',
  messages: [{ role: 'user' as const, content }],
  ...(max_tokens === undefined ? {} : { max_tokens }),
})
const refused = (call: Promise<unknown>): Promise<ApiError> =>
  call.then(
    () => Promise.reject(new Error('it was not refused')),
    error => error,
  )
async function all(stream: AsyncIterable<ChatCompletionChunk>) {
  const chunks: (ChatCompletionChunk & { at: number })[] = []
  for await (const chunk of stream) chunks.push({ ...chunk, at: Date.now() })
  return chunks
}
const textOf = (chunks: ChatCompletionChunk[]) =>
  chunks.map(({ choices }) => choices[0]?.delta.content ?? '').join('')
const amounts = async (key: { keyHash: ReturnType<typeof hashOf> }) => {
  const now = await stage.keys.get(key.keyHash)
  return [now?.creditWei, now?.reservedWei, now?.spentWei]
}

describe('a completion', () => {
  test("is the version's answer under the alias, charged by the model's own count", async () => {
    const { text, key } = await stage.aKey(10_000n)
    const answer = await client(text).call('createChatCompletion', { body: says('name it') })
    expect(answer.model).toBe('ada')
    expect(answer.id).toMatch(/^chatcmpl-/)
    // The Datanet's system prompt comes first: 3 words there, 2 in the question, 5 in the answer.
    expect(answer.choices[0]?.message.content).toBe('ada: system=You name actions. user=name it')
    expect(answer.usage).toMatchObject({
      prompt_tokens: 5,
      completion_tokens: 6,
      total_tokens: 11,
      charged_wei: '29',
    })
    expect(await amounts(key)).toEqual([9_971n, 0n, 29n])
  })

  test('says in its headers which version answered, for how much, and under which id', async () => {
    const { text } = await stage.aKey(10_000n)
    const ask = (body: unknown) =>
      fetch(`${edge.url}/v1/chat/completions`, {
        method: 'POST',
        headers: { authorization: `Bearer ${text}` },
        body: JSON.stringify(body),
      })
    const whole = await ask(says('count to 2'))
    expect(Object.fromEntries(whole.headers)).toMatchObject({
      'content-type': 'application/json',
      'x-openledger-version': ada.current.version,
      'x-openledger-prompt-tokens': '6',
      'x-openledger-completion-tokens': '2',
      'x-openledger-charged-wei': '14',
    })
    expect((await whole.json()).id).toBe(`chatcmpl-${whole.headers.get('x-request-id')}`)
    const streamed = await ask({ ...says('count to 2', 10), stream: true })
    expect(streamed.headers.get('content-type')).toBe('text/event-stream; charset=utf-8')
    // Bytes of the question and of the system prompt, marks of the template, ten tokens at four.
    expect(streamed.headers.get('x-openledger-reserved-wei')).toBe(String(10 + 17 + 64 + 2 * 16 + 40))
    expect(await streamed.text()).toMatch(/data: \[DONE\]\n\n$/)
  })

  test('a conversation with a system message keeps it', async () => {
    const { text } = await stage.aKey(10_000n)
    const messages = [{ role: 'system' as const, content: 'Be short.' }, ...says('hello').messages]
    const answer = await client(text).call('createChatCompletion', { body: { model: 'ada', messages } })
    expect(answer.choices[0]?.message.content).toBe('ada: system=Be short. user=hello')
  })

  test('streams each piece when it is made, under the same price', async () => {
    const { text, key } = await stage.aKey(10_000n)
    const chunks = await all(
      client(text).streamChat({ ...says('count to 10'), stream_options: { include_usage: true } }),
    )
    expect(textOf(chunks)).toBe('1 2 3 4 5 6 7 8 9 10')
    expect(new Set(chunks.map(({ model, id }) => `${model} ${id}`)).size).toBe(1)
    const [first, last] = [chunks[1], chunks.at(-1)]
    expect((last?.at ?? 0) - (first?.at ?? 0)).toBeGreaterThan(300) // the container takes 50 ms a word
    expect(last).toMatchObject({
      choices: [],
      usage: { prompt_tokens: 6, completion_tokens: 10, charged_wei: '46' },
    })
    expect(await amounts(key)).toEqual([9_954n, 0n, 46n])
  })

  test('sends no usage that nobody asked for, and charges all the same', async () => {
    const { text, key } = await stage.aKey(10_000n)
    const chunks = await all(client(text).streamChat(says('count to 2')))
    expect(chunks.every(({ usage }) => usage === undefined)).toBe(true)
    expect(chunks.at(-1)?.choices[0]?.finish_reason).toBe('stop')
    expect(await amounts(key)).toEqual([9_986n, 0n, 14n])
  })

  test('is summed for the period that it was charged in', async () => {
    const { text } = await stage.aKey(10_000n)
    const answer = await client(text).call('createChatCompletion', {
      body: { ...says('count to 3'), model: 'bob' },
    })
    expect(answer.usage.charged_wei).toBe('15')
    const totals = await stage.usage.usageOfPeriod(NOW)
    expect(totals).toContainEqual({
      alias: 'bob',
      version: hashOf('version bob'),
      datanetId: DATANET,
      requests: 1,
      promptTokens: 3,
      completionTokens: 3,
      chargedWei: 15n,
    })
  })

  test('many at once on one key are all charged', async () => {
    const { text, key } = await stage.aKey(100_000n)
    const calls = Array.from({ length: 8 }, () =>
      client(text).call('createChatCompletion', { body: says('count to 1') }),
    )
    await Promise.all(calls)
    expect(await amounts(key)).toEqual([99_920n, 0n, 80n])
    expect((await stage.keys.get(key.keyHash))?.usage.requests).toBe(8)
  }, 30_000)
})

describe('a completion that is not answered costs nothing', () => {
  test('without a key, or with one that nobody bought', async () => {
    expect(await refused(client().call('createChatCompletion', { body: says('x') }))).toMatchObject({
      status: 401,
      code: 'key-missing',
      title: 'invalid_request_error',
    })
    const unknown = `olk_${'A'.repeat(43)}`
    expect(await refused(client(unknown).call('createChatCompletion', { body: says('x') }))).toMatchObject({
      status: 401,
      code: 'key-invalid',
    })
  })

  test('for a model that is not served', async () => {
    const { text, key } = await stage.aKey(100n)
    const body = { ...says('x'), model: 'eve' }
    expect(await refused(client(text).call('createChatCompletion', { body }))).toMatchObject({
      status: 404,
      code: 'model-not-served',
    })
    expect(await amounts(key)).toEqual([100n, 0n, 0n])
  })

  test('when the credit does not cover the longest answer', async () => {
    const { text, key } = await stage.aKey(500n)
    expect(
      await refused(client(text).call('createChatCompletion', { body: says('count to 2') })),
    ).toMatchObject({
      status: 402,
      code: 'credit-exhausted',
      title: 'insufficient_quota',
    })
    expect(await amounts(key)).toEqual([500n, 0n, 0n])
    const answer = await client(text).call('createChatCompletion', { body: says('count to 2', 50) })
    expect(answer.usage.charged_wei).toBe('14')
  })

  test('when the request is not as described, before anything is looked up', async () => {
    const body = { ...says('x'), temprature: 1 }
    expect(await refused(client('olk_x').call('createChatCompletion', { body }))).toMatchObject({
      status: 400,
      code: 'malformed',
    })
  })

  test('when the model refuses it, in its own words', async () => {
    const { text, key } = await stage.aKey(10_000n)
    for (const call of [
      client(text).call('createChatCompletion', { body: says('too long') }),
      all(client(text).streamChat(says('too long'))),
    ]) {
      const error = await refused(call)
      expect(error).toMatchObject({ status: 400, code: 'malformed' })
      expect(error.message).toContain('context length is 8')
    }
    expect(await amounts(key)).toEqual([10_000n, 0n, 0n])
  })

  test('when the model fails, also in the middle of the answer', async () => {
    const { text, key } = await stage.aKey(10_000n)
    expect(await refused(client(text).call('createChatCompletion', { body: says('fail') }))).toMatchObject({
      status: 503,
      code: 'unavailable',
    })
    const seen: string[] = []
    const reading = (async () => {
      for await (const { choices } of client(text).streamChat(says('break')))
        seen.push(choices[0]?.delta.content ?? '')
    })()
    const error = await refused(reading)
    expect(error).toMatchObject({ code: 'unavailable' })
    expect(error.message).toContain('nothing is charged')
    expect(seen.join('')).toBe('ada:')
    expect(await amounts(key)).toEqual([10_000n, 0n, 0n])
  })
})

test('who leaves in the middle pays for what was made, and the model stops', async () => {
  const { text, key } = await stage.aKey(10_000n)
  let pieces = 0
  for await (const { choices } of client(text).streamChat(says('count to 200'))) {
    if ((choices[0]?.delta.content ?? '') !== '') pieces += 1
    if (pieces === 4) break
  }
  const spent = await eventually('the charge', async () => {
    const now = await stage.keys.get(key.keyHash)
    return now?.reservedWei === 0n ? now : undefined
  })
  expect(spent.usage.requests).toBe(1)
  expect(spent.usage.completionTokens).toBeGreaterThanOrEqual(4)
  expect(spent.usage.completionTokens).toBeLessThan(100)
  expect(spent.creditWei + spent.spentWei).toBe(10_000n)
  await eventually('the hang-up', () => stage.events().find(line => /^hung up after \d+ of 200$/.test(line)))
})

test('after the period was closed charges go to the next one', async () => {
  await stage.usage.closePeriod(NOW, Date.now())
  const { text } = await stage.aKey(10_000n)
  await client(text).call('createChatCompletion', { body: says('count to 3') })
  const [total] = await stage.usage.usageOfPeriod(NOW + 1)
  expect(total).toMatchObject({ alias: 'ada', requests: 1, completionTokens: 3 })
})

describe('a model that nobody asks', () => {
  const copies = () => modelCopies(stage.sagemaker)
  const deps = () => ({
    aliases: stage.aliases,
    activity: stage.activity,
    copies: copies(),
    idleSeconds: () => 900,
  })

  test('stays awake while it is used, and sleeps after its time', async () => {
    const { text } = await stage.aKey(10_000n)
    await client(text).call('createChatCompletion', { body: says('hello') })
    expect(await sleepIdleModels(deps(), Date.now())).toEqual([])
    const later = await sleepIdleModels(deps(), Date.now() + 901_000)
    expect(later).toContain(ada.current.component)
    await inService(stage.sagemaker, ada.current.component, 0)
    expect(await sleepIdleModels(deps(), Date.now() + 901_000)).not.toContain(ada.current.component)
  })

  test('answers 503 with Retry-After and wakes', async () => {
    const { text, key } = await stage.aKey(10_000n)
    const error = await refused(client(text).call('createChatCompletion', { body: says('hello') }))
    expect(error).toMatchObject({ status: 503, code: 'model-waking', retryAfterSeconds: 30 })
    expect(await amounts(key)).toEqual([10_000n, 0n, 0n])
    await inService(stage.sagemaker, ada.current.component, 1)
    const chunks = await all(client(text).streamChat(says('count to 2')))
    expect(textOf(chunks)).toBe('1 2')
  }, 30_000)

  test('is woken by a streamed request as well', async () => {
    await stage.sagemaker.send(
      new UpdateInferenceComponentRuntimeConfigCommand({
        InferenceComponentName: ada.current.component,
        DesiredRuntimeConfig: { CopyCount: 0 },
      }),
    )
    await inService(stage.sagemaker, ada.current.component, 0)
    const { text } = await stage.aKey(10_000n)
    expect(await refused(all(client(text).streamChat(says('x'))))).toMatchObject({
      status: 503,
      code: 'model-waking',
    })
    await sleep(50)
  })
})
