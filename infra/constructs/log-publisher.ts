import { Duration } from 'aws-cdk-lib'
import { type EventBus, type IEventBus, Rule, Schedule } from 'aws-cdk-lib/aws-events'
import { Construct } from 'constructs'
import type { AreaFunction } from './area-function.ts'
import type { AreaFunctions } from './area-functions.ts'
import { DeadLetters } from './dead-letters.ts'

/** The protocol promises a signed head within a minute of an append; where nothing changed nothing is signed. */
const PUBLISH_EVERY = Duration.minutes(1)

/** Publishes the log's tiles and signs its head: when an append is told, and each minute for one that was not. */
export class LogPublisher extends Construct {
  readonly publisher: AreaFunction
  readonly deadLetters: DeadLetters

  constructor(scope: Construct, id: string, props: { functions: AreaFunctions; bus: EventBus }) {
    super(scope, id)
    this.publisher = props.functions.get('data/publish-log')
    this.deadLetters = new DeadLetters(this, 'DeadLetters')
    const targets = [this.deadLetters.targetOf(this.publisher)]
    new Rule(this, 'Appended', {
      description: 'Publish the log: a leaf was appended',
      eventBus: props.bus as IEventBus,
      eventPattern: { source: ['openledger'], detailType: ['log.appended'] },
      targets,
    })
    new Rule(this, 'EachMinute', {
      description: 'Publish the log, should an append not have been told',
      schedule: Schedule.rate(PUBLISH_EVERY),
      targets,
    })
  }
}
