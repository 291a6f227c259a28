import {
  DescribeExecutionCommand,
  ExecutionAlreadyExists,
  type SFNClient,
  StartExecutionCommand,
} from '@aws-sdk/client-sfn'
import type { SettlementStarter } from '../../domain/rewards/ports.ts'

/** A period that failed this often needs a person; each try is an execution that says why. */
const MAX_TRIES = 20
const ID_DIGITS = 20

/** Executions of settle-payouts, named `<period>-<Datanet>-<try>`, so that two callers start one. */
export function settlementStarter(sfn: SFNClient, machineArn: string): SettlementStarter {
  return {
    async start({ datanetId, period, againAfterSuccess }) {
      for (let attempt = 1; attempt <= MAX_TRIES; attempt++) {
        const execution = `${period}-${datanetId.slice(2, 2 + ID_DIGITS)}-${attempt}`
        try {
          await sfn.send(
            new StartExecutionCommand({
              stateMachineArn: machineArn,
              name: execution,
              input: JSON.stringify({ schema: 1, datanetId, period }),
            }),
          )
          return { execution, state: 'running' }
        } catch (error) {
          if (!(error instanceof ExecutionAlreadyExists)) throw error
        }
        const { status } = await sfn.send(
          new DescribeExecutionCommand({
            executionArn: `${machineArn.replace(':stateMachine:', ':execution:')}:${execution}`,
          }),
        )
        if (status === 'RUNNING' || status === 'PENDING_REDRIVE') return { execution, state: 'running' }
        if (status === 'SUCCEEDED' && !againAfterSuccess) return { execution, state: 'succeeded' }
      }
      return null
    },
  }
}
