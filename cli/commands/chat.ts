import type { Command } from 'commander'
import { createClient } from '../../api/client.ts'
import { count, temperature } from '../arguments.ts'
import { apiKeyOf, contextOf } from '../context.ts'

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
        let answer = ''
        for await (const chunk of client.streamChat({
          model,
          messages: [{ role: 'user', content: text }],
          max_tokens: options.maxTokens,
          temperature: options.temperature,
        })) {
          const piece = chunk.choices[0]?.delta.content ?? ''
          answer += piece
          if (!json) process.stdout.write(piece)
        }
        show({ json: { model, answer }, lines: [''] })
      },
    )
}
