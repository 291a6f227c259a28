import { Duration } from 'aws-cdk-lib'
import type { Construct } from 'constructs'
import type { StageConfig } from '../config.ts'
import type { FoundationStack } from '../stacks/foundation.ts'
import { Alarms } from './alarms.ts'
import type { Chore } from './chore.ts'
import type { FailureRecorder } from './failure-recorder.ts'
import type { LogPublisher } from './log-publisher.ts'
import type { Machine } from './machine.ts'

export type PipelineAlarmsProps = {
  readonly config: StageConfig
  readonly foundation: FoundationStack
  readonly machines: readonly Machine[]
  readonly recorder: FailureRecorder
  readonly publisher: LogPublisher
  readonly chores: readonly Chore[]
}

/** The protocol promises a minute; five leave room for one failed attempt and CloudWatch's own delay. */
const LOG_UNSIGNED_MINUTES = 5

export class PipelineAlarms extends Alarms {
  constructor(scope: Construct, id: string, props: PipelineAlarmsProps) {
    super(scope, id, props)
    const minute = { period: Duration.minutes(1) }
    for (const machine of props.machines) {
      this.when(`${machine.node.id}Failed`, {
        says: `An execution of ${machine.machine} failed`,
        metric: machine.metricFailed(minute),
      })
      this.when(`${machine.node.id}TimedOut`, {
        says: `An execution of ${machine.machine} timed out`,
        metric: machine.metricTimedOut(minute),
      })
    }
    this.whenNotEmpty(
      'UploadsFailed',
      props.foundation.uploadQueue.failures,
      'An upload could not be taken in',
    )
    this.whenNotEmpty('FailuresLost', props.recorder.deadLetters, 'A failed execution left no record')
    this.whenNotEmpty('PublishFailed', props.publisher.deadLetters, 'The log could not be published')
    for (const chore of props.chores)
      this.whenNotEmpty(`${chore.node.id}Failed`, chore.deadLetters, chore.failure)
    const { publisher } = props.publisher
    this.when('LogPublisherSilent', {
      says: `The log's publisher has not run for ${LOG_UNSIGNED_MINUTES} minutes: appended leaves have no signed head`,
      metric: publisher.metricInvocations(minute),
      below: 1,
      periods: LOG_UNSIGNED_MINUTES,
    })
    this.when('LogPublisherFailing', {
      says: `The log's publisher has failed for ${LOG_UNSIGNED_MINUTES} minutes: appended leaves have no signed head`,
      metric: publisher.metricErrors(minute),
      periods: LOG_UNSIGNED_MINUTES,
    })
  }
}
