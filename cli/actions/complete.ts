import { type ChatInput, createClient } from '../../api/client.ts'
import type { ChatUsage } from '../../api/schemas/serving.ts'
import type { Session } from './session.ts'

export type Completion = { readonly text: string; readonly usage: ChatUsage | null; readonly chunks: number }

/** One chat completion with a key, in one piece or as it is made. @throws ApiError, with `model-waking` to try later */
export async function complete(
  session: Session,
  apiKey: string | undefined,
  body: ChatInput,
  options: { stream?: boolean; onText?: (text: string) => void } = {},
): Promise<Completion> {
  const client = createClient({
    baseUrl: session.client.baseUrl,
    ...(apiKey === undefined ? {} : { apiKey }),
  })
  if (options.stream !== true) {
    const { choices, usage } = await client.call('createChatCompletion', { body })
    return { text: choices[0]?.message.content ?? '', usage, chunks: 1 }
  }
  let text = ''
  let chunks = 0
  let usage: ChatUsage | null = null
  for await (const chunk of client.streamChat({ ...body, stream_options: { include_usage: true } })) {
    chunks += 1
    usage = chunk.usage ?? usage
    const piece = chunk.choices[0]?.delta.content ?? ''
    text += piece
    if (piece !== '') options.onText?.(piece)
  }
  return { text, usage, chunks }
}
