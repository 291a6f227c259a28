import { EventField, Rule, RuleTargetInput } from 'aws-cdk-lib/aws-events'
import { Construct } from 'constructs'
import type { AreaFunctions } from './area-functions.ts'
import { DeadLetters } from './dead-letters.ts'
import type { Machine } from './machine.ts'

/**
 * An execution that is stopped, times out or fails outside of its own catch still leaves a record: Step Functions
 * tells of it on the account's bus. The recorder takes the same failure twice as once.
 */
export class FailureRecorder extends Construct {
  readonly deadLetters: DeadLetters

  constructor(
    scope: Construct,
    id: string,
    props: { functions: AreaFunctions; machines: readonly Machine[] },
  ) {
    super(scope, id)
    this.deadLetters = new DeadLetters(this, 'DeadLetters')
    new Rule(this, 'Rule', {
      description: 'Executions that ended without success',
      eventPattern: {
        source: ['aws.states'],
        detailType: ['Step Functions Execution Status Change'],
        detail: {
          status: ['FAILED', 'TIMED_OUT', 'ABORTED'],
          stateMachineArn: props.machines.map(machine => machine.stateMachineArn),
        },
      },
      targets: [
        this.deadLetters.targetOf(props.functions.get('training/record-failure'), {
          event: RuleTargetInput.fromObject({
            machine: EventField.fromPath('$.detail.stateMachineArn'),
            execution: EventField.fromPath('$.detail.name'),
            // The input names the run; a run is ended only for the execution that holds it.
            input: EventField.fromPath('$.detail.input'),
            failure: {
              Error: EventField.fromPath('$.detail.status'),
              Cause: EventField.fromPath('$.detail.executionArn'),
            },
          }),
        }),
      ],
    })
  }
}
