import { Duration } from 'aws-cdk-lib'
import { Rule, Schedule } from 'aws-cdk-lib/aws-events'
import { Construct } from 'constructs'
import type { AreaFunctions } from './area-functions.ts'
import { DeadLetters } from './dead-letters.ts'

/** A model's idle time is minutes (config/model-profiles), so looking more often would save nothing. */
const LOOK_EVERY = Duration.minutes(5)

/** Takes models that nobody asks down to zero copies: a forgotten one must not cost money for a night. */
export class ModelSleeper extends Construct {
  readonly deadLetters: DeadLetters

  constructor(scope: Construct, id: string, props: { functions: AreaFunctions }) {
    super(scope, id)
    this.deadLetters = new DeadLetters(this, 'DeadLetters')
    new Rule(this, 'Rule', {
      description: 'Put idle models to sleep',
      schedule: Schedule.rate(LOOK_EVERY),
      targets: [this.deadLetters.targetOf(props.functions.get('serving/sleep-idle-models'))],
    })
  }
}
