import { type HistoryEvent, paginateGetExecutionHistory, type SFNClient } from '@aws-sdk/client-sfn'

export type ExecutedState = {
  readonly name: string
  readonly state: 'running' | 'done' | 'failed'
  readonly startedAt: number
  readonly endedAt: number | null
  readonly jobName: string | null
}

/** Where every machine goes when something failed that it did not expect. */
const FAILURE_STATE = 'Record the failure'

/** The task states that an execution entered, in order, with the name of the SageMaker job of each. */
export async function executedStates(sfn: SFNClient, executionArn: string): Promise<ExecutedState[]> {
  const states: ExecutedState[] = []
  let ended = false
  const pages = paginateGetExecutionHistory({ client: sfn }, { executionArn, includeExecutionData: true })
  for await (const page of pages) {
    for (const event of page.events ?? []) {
      ended ||= ['ExecutionFailed', 'ExecutionAborted', 'ExecutionTimedOut'].includes(event.type ?? '')
      apply(states, event)
    }
  }
  return ended
    ? states.map(state => (state.state === 'running' ? { ...state, state: 'failed' } : state))
    : states
}

function apply(states: ExecutedState[], event: HistoryEvent) {
  const at = event.timestamp?.getTime() ?? 0
  if (event.type === 'TaskStateEntered') {
    const name = event.stateEnteredEventDetails?.name ?? ''
    const before = states.at(-1)
    // A state that ended early and was caught by design, such as a round whose time was up, is done.
    if (before?.state === 'failed' && name !== FAILURE_STATE)
      states.splice(-1, 1, { ...before, state: 'done' })
    states.push({ name, state: 'running', startedAt: at, endedAt: null, jobName: null })
    return
  }
  const last = states.at(-1)
  if (last === undefined) return
  const replace = (change: Partial<ExecutedState>) => states.splice(-1, 1, { ...last, ...change })
  if (event.type === 'TaskStateExited') {
    replace({ state: last.state === 'failed' ? 'failed' : 'done', endedAt: at })
  } else if (event.type === 'TaskScheduled') {
    replace({ jobName: jobNameOf(event.taskScheduledEventDetails?.parameters), state: 'running' })
  } else if (event.type === 'TaskFailed' || event.type === 'TaskTimedOut') {
    replace({ state: 'failed', endedAt: at })
  }
}

function jobNameOf(parameters: string | undefined): string | null {
  try {
    const { TrainingJobName } = JSON.parse(parameters ?? '{}') as { TrainingJobName?: string }
    return TrainingJobName ?? null
  } catch {
    // Parameters are cut by the service when they are long; then the name is simply not known here.
    return null
  }
}
