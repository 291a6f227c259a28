import { ConflictException, CreateScheduleCommand, type SchedulerClient } from '@aws-sdk/client-scheduler'
import type { CloseSchedule } from '../../domain/governance/ports.ts'
import { resourceName } from '../../domain/protocol/ids.ts'

/** One one-time schedule a proposal, deleted by the service after it fired; a second creation changes nothing. */
export function closeSchedule(
  scheduler: SchedulerClient,
  facts: { stage: string; group: string; roleArn: string; machineArn: string },
): CloseSchedule {
  return {
    async at(proposalId, instantMs) {
      try {
        await scheduler.send(
          new CreateScheduleCommand({
            Name: resourceName(facts.stage, 'close', proposalId, 1),
            GroupName: facts.group,
            // Schedules take whole seconds without a zone suffix.
            ScheduleExpression: `at(${new Date(Math.ceil(instantMs / 1_000) * 1_000).toISOString().slice(0, 19)})`,
            ScheduleExpressionTimezone: 'UTC',
            FlexibleTimeWindow: { Mode: 'OFF' },
            ActionAfterCompletion: 'DELETE',
            Target: {
              Arn: facts.machineArn,
              RoleArn: facts.roleArn,
              Input: JSON.stringify({ schema: 1, proposalId }),
              RetryPolicy: { MaximumRetryAttempts: 10, MaximumEventAgeInSeconds: 86_400 },
            },
          }),
        )
      } catch (error) {
        if (!(error instanceof ConflictException)) throw error
      }
    },
  }
}
