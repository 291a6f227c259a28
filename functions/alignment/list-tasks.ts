import { routes } from '../../api/routes.ts'
import { parseAddress, parseBytes32 } from '../../domain/protocol/hex.ts'
import { deps } from '../deps.ts'
import { endpoint } from '../http/endpoint.ts'

/** A validator's own tasks: blind, so neither sides nor gold can be told from the answer. */
export const handler = endpoint(routes.listTasks, async ({ params, query }) => {
  const tasks = await deps.rounds().tasks(parseBytes32(params.id), parseAddress(query.validator))
  return {
    items: tasks
      .sort((left, right) => left.position - right.position)
      .map(({ taskId, position, messages, first, second, judgment }) => ({
        taskId,
        position,
        messages: messages.map(message => ({ ...message })),
        first,
        second,
        judged: judgment !== null,
      })),
    cursor: null,
  }
})
