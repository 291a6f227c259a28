import { routes } from '../../api/routes.ts'
import type { ChatUsage } from '../../api/schemas/serving.ts'
import { completeChat } from '../../domain/serving/complete-chat.ts'
import { deps } from '../deps.ts'
import { logger } from '../http/endpoint.ts'
import { streamingEndpoint } from '../http/stream.ts'

export const handler = streamingEndpoint(
  routes.createChatCompletion,
  async ({ body, headers }, { requestId, signal }) => {
    const { streamed, version, reservedWei, usage, pieces } = await completeChat(
      {
        keys: deps.apiKeys(),
        aliases: deps.aliases(),
        activity: deps.modelActivity(),
        model: deps.servedModel(),
        copies: deps.modelCopies(),
        prices: deps.modelPrices(),
        periodSeconds: deps.periodSeconds(),
        now: Date.now,
        report: (event, facts) => logger.info(event, facts),
      },
      { request: body, authorization: headers.authorization, requestId, signal },
    )
    return {
      headers: {
        'content-type': streamed ? 'text/event-stream; charset=utf-8' : 'application/json',
        'cache-control': 'no-store',
        'x-request-id': requestId,
        'x-openledger-version': version,
        'x-openledger-reserved-wei': String(reservedWei),
        ...(usage === null ? {} : usageHeaders(usage)),
      },
      pieces,
    }
  },
)

/** A streamed answer says it in its last chunk instead: `stream_options: { include_usage: true }`. */
function usageHeaders(usage: ChatUsage): Record<string, string> {
  return {
    'x-openledger-prompt-tokens': String(usage.prompt_tokens),
    'x-openledger-completion-tokens': String(usage.completion_tokens),
    'x-openledger-charged-wei': usage.charged_wei ?? '0',
  }
}
