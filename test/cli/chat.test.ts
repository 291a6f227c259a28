import { aDeployment, aFolder, Refused, run } from './run-cli.ts'

const chunk = (content: string) =>
  `data: ${JSON.stringify({
    id: 'chatcmpl-1',
    object: 'chat.completion.chunk',
    created: 1,
    model: 'assistant',
    choices: [{ index: 0, delta: { content }, finish_reason: null }],
  })}\n\n`

describe('chat', () => {
  it('waits for a model that sleeps, and prints its answer as it comes', async () => {
    let asked = 0
    const { baseUrl, close } = await aDeployment({
      createChatCompletion: () => {
        asked += 1
        if (asked < 3) throw new Refused(503, 'model-waking', 0)
        return new TextEncoder().encode(`${chunk('s3:')}${chunk('ListBucket')}data: [DONE]\n\n`)
      },
    })
    const place = aFolder({ '.openledger/dev.json': JSON.stringify({ baseUrl, apiKey: 'olk_1' }) })
    try {
      const ran = await run(place.folder, ['--profile', 'dev', 'chat', 'assistant', 'list a bucket'])
      expect(ran).toMatchObject({ exit: 0, out: 's3:ListBucket\n' })
      expect(ran.err.match(/The model was asleep/g)).toHaveLength(2)
      expect(asked).toBe(3)
      const asJson = await run(place.folder, ['--profile', 'dev', '--json', 'chat', 'assistant', 'again'])
      expect(asJson.json()).toEqual({ model: 'assistant', answer: 's3:ListBucket' })
    } finally {
      place.remove()
      await close()
    }
  })

  it('does not ask again after any other refusal', async () => {
    let asked = 0
    const { baseUrl, close } = await aDeployment({
      createChatCompletion: () => {
        asked += 1
        throw new Refused(402, 'credit-exhausted', 0)
      },
    })
    const place = aFolder({ '.openledger/dev.json': JSON.stringify({ baseUrl }) })
    try {
      const argv = ['--profile', 'dev', 'chat', 'assistant', 'hello']
      const { exit, err } = await run(place.folder, argv, { OPENLEDGER_API_KEY: 'olk_1' })
      expect({ exit, err }).toEqual({ exit: 1, err: 'Refused: credit-exhausted (credit-exhausted)\n' })
      expect(asked).toBe(1)
    } finally {
      place.remove()
      await close()
    }
  })
})
