import { type HistoryEvent, SFNClient } from '@aws-sdk/client-sfn'
import { executedStates } from '../../adapters/sfn/execution-history.ts'

/** A client that answers one page of history; the pages themselves are the SDK's business. */
function history(...events: (readonly [type: string, name?: string])[]): SFNClient {
  const page = {
    events: events.map(
      ([type, name], at): HistoryEvent =>
        ({
          type,
          id: at + 1,
          timestamp: new Date(at * 1_000),
          ...(name === undefined ? {} : { stateEnteredEventDetails: { name } }),
        }) as HistoryEvent,
    ),
  }
  const client = new SFNClient({ region: 'us-east-1' })
  client.send = async () => page
  return client
}

const told = async (client: SFNClient) =>
  (await executedStates(client, 'arn')).map(({ name, state }) => `${name}: ${state}`)

describe('the steps that a run shows', () => {
  it('are done when a state ended early as the machine means it to', async () => {
    const seen = await told(
      history(
        ['TaskStateEntered', 'Wait for the judgments'],
        ['TaskTimedOut'],
        ['TaskStateExited'],
        ['TaskStateEntered', 'Score the validators'],
      ),
    )
    expect(seen).toEqual(['Wait for the judgments: done', 'Score the validators: running'])
  })

  it('name the one that failed, when the machine records a failure', async () => {
    const seen = await told(
      history(
        ['TaskStateEntered', 'Train'],
        ['TaskFailed'],
        ['TaskStateExited'],
        ['TaskStateEntered', 'Record the failure'],
        ['TaskStateExited'],
        ['ExecutionFailed'],
      ),
    )
    expect(seen).toEqual(['Train: failed', 'Record the failure: done'])
  })

  it('go on after a retry, and fail with an execution that was stopped', async () => {
    expect(await told(history(['TaskStateEntered', 'Train'], ['TaskFailed'], ['TaskScheduled']))).toEqual([
      'Train: running',
    ])
    expect(await told(history(['TaskStateEntered', 'Train'], ['ExecutionAborted']))).toEqual([
      'Train: failed',
    ])
  })
})
