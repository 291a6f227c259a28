import { setTimeout as sleep } from 'node:timers/promises'
import type { Command } from 'commander'
import { ApiError, type ChatInput, type Client, createClient } from '../../api/client.ts'
import { count, temperature } from '../arguments.ts'
import { apiKeyOf, contextOf } from '../context.ts'

/** A large model is back in memory after minutes; one that is not has a problem that waiting does not cure. */
const AWAKE_MS = 900_000
const RETRY_SECONDS = 10

/** One question to a served model, streamed. */
export function chat(program: Command): void {
  program
    .command('chat <model> <text>')
    .description('ask a served model; the API key comes from OPENLEDGER_API_KEY, or from the profile')
    .option('--max-tokens <n>', 'longest answer in tokens', count, 256)
    .option('--temperature <t>', '0 is the likeliest answer', temperature, 0)
    .action(
      async (
        model: string,
        text: string,
        options: { maxTokens: number; temperature: number },
        command: Command,
      ) => {
        const { profile, show } = contextOf(command)
        const client = createClient({ baseUrl: profile.baseUrl, apiKey: apiKeyOf(profile) })
        const { json } = command.optsWithGlobals<{ json: boolean }>()
        const body = {
          model,
          messages: [{ role: 'user' as const, content: text }],
          max_tokens: options.maxTokens,
          temperature: options.temperature,
        }
        let answer = ''
        for await (const piece of answered(client, body)) {
          answer += piece
          if (!json) process.stdout.write(piece)
        }
        show({ json: { model, answer }, lines: [''] })
      },
    )
}

/** The answer piece by piece; a model that sleeps is waited for. @throws ApiError */
async function* answered(client: Client, body: ChatInput): AsyncGenerator<string, void, undefined> {
  for (const giveUpAt = Date.now() + AWAKE_MS; ; ) {
    try {
      for await (const chunk of client.streamChat(body)) yield chunk.choices[0]?.delta.content ?? ''
      return
    } catch (error) {
      const isAsleep = error instanceof ApiError && error.code === 'model-waking'
      if (!isAsleep || Date.now() > giveUpAt) throw error
      const seconds = error.retryAfterSeconds ?? RETRY_SECONDS
      console.error(`The model was asleep and is being woken; asking again in ${seconds} s.`)
      await sleep(seconds * 1_000)
    }
  }
}
