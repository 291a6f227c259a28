import { Duration } from 'aws-cdk-lib'
import { Rule, Schedule } from 'aws-cdk-lib/aws-events'
import { LambdaFunction } from 'aws-cdk-lib/aws-events-targets'
import { Construct } from 'constructs'
import type { AreaFunction } from './area-function.ts'
import type { AreaFunctions } from './area-functions.ts'
import { DeadLetters } from './dead-letters.ts'

/** The protocol promises a signed head within a minute of an append; the publisher does nothing when nothing changed. */
const PUBLISH_EVERY = Duration.minutes(1)

/** Publishes the log's tiles and signs its head again and again, also when an appender died before it could. */
export class LogPublisher extends Construct {
  readonly publisher: AreaFunction
  readonly deadLetters: DeadLetters

  constructor(scope: Construct, id: string, props: { functions: AreaFunctions }) {
    super(scope, id)
    this.publisher = props.functions.get('data/publish-log')
    this.deadLetters = new DeadLetters(this, 'DeadLetters')
    new Rule(this, 'Rule', {
      description: 'Publish the log and sign its head',
      schedule: Schedule.rate(PUBLISH_EVERY),
      targets: [new LambdaFunction(this.publisher, { deadLetterQueue: this.deadLetters, retryAttempts: 2 })],
    })
  }
}
