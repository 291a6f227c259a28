import { routes } from '../../api/routes.ts'
import { completeChat } from '../../domain/serving/complete-chat.ts'
import { deps } from '../deps.ts'
import { logger } from '../http/endpoint.ts'
import { streamingEndpoint } from '../http/stream.ts'

export const handler = streamingEndpoint(
  routes.createChatCompletion,
  async ({ body, headers }, { requestId, signal }) => {
    const { streamed, version, pieces } = await completeChat(
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
      },
      pieces,
    }
  },
)
