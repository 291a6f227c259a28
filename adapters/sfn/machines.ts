import { ExecutionAlreadyExists, type SFNClient, StartExecutionCommand } from '@aws-sdk/client-sfn'

/**
 * Starts executions by name. The name carries the id of what is done, so an execution that exists already is
 * the same deed: the warrant's row, not the name, guarantees once.
 */
export function machineStarter<Machine extends string>(
  sfn: SFNClient,
  arns: Readonly<Record<Machine, string>>,
) {
  return {
    async start(machine: Machine, name: string, input: unknown): Promise<void> {
      try {
        await sfn.send(
          new StartExecutionCommand({ stateMachineArn: arns[machine], name, input: JSON.stringify(input) }),
        )
      } catch (error) {
        if (!(error instanceof ExecutionAlreadyExists)) throw error
      }
    },
  }
}
