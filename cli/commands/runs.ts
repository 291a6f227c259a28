import type { Command } from 'commander'
import { id } from '../arguments.ts'
import { contextOf } from '../context.ts'

/** Runs of the pipelines; one run with its steps and its training loss. */
export function runs(program: Command): void {
  program
    .command('runs')
    .argument('[id]', 'one run', id)
    .description('runs of the pipelines, or one of them with its steps')
    .action(async (runId: string | undefined, _options: object, command: Command) => {
      const { session, show } = contextOf(command)
      const { client } = await session()
      if (runId === undefined) {
        const { items } = await client.call('listRuns')
        show({
          json: items,
          lines: items.map(
            run => `${run.id}  ${run.kind.padEnd(9)}  ${run.state.padEnd(11)}  ${run.startedAt}`,
          ),
        })
        return
      }
      const run = await client.call('getRun', { params: { id: runId } })
      const last = run.metrics.at(-1)
      show({
        json: run,
        lines: [
          `${run.kind}, ${run.state}`,
          ...run.steps.map(
            step =>
              `  ${step.state.padEnd(7)}  ${step.name}${step.jobName === null ? '' : `  (${step.jobName})`}`,
          ),
          ...(last === undefined ? [] : [`  loss ${last.loss.toFixed(3)} at step ${last.step}`]),
          ...(run.failure === null ? [] : [`  failed: ${run.failure.error}: ${run.failure.cause}`]),
        ],
      })
    })
}
