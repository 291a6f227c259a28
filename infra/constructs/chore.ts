import type { Duration } from 'aws-cdk-lib'
import { Rule, Schedule } from 'aws-cdk-lib/aws-events'
import { Construct } from 'constructs'
import type { AreaFunctions } from './area-functions.ts'
import { DeadLetters } from './dead-letters.ts'

export type ChoreProps = {
  readonly functions: AreaFunctions
  readonly entry: string
  readonly every: Duration
  /** What the person who is called reads when the chore fails. */
  readonly failure: string
}

/** A function that looks again and again whether there is something to do, and mostly finds nothing. */
export class Chore extends Construct {
  readonly failure: string
  readonly deadLetters: DeadLetters

  constructor(scope: Construct, id: string, props: ChoreProps) {
    super(scope, id)
    this.failure = props.failure
    this.deadLetters = new DeadLetters(this, 'DeadLetters')
    new Rule(this, 'Rule', {
      description: `functions/${props.entry}.ts, now and again`,
      schedule: Schedule.rate(props.every),
      targets: [this.deadLetters.targetOf(props.functions.get(props.entry))],
    })
  }
}
