import { Duration } from 'aws-cdk-lib'
import { Alarm, ComparisonOperator, type IMetric, TreatMissingData } from 'aws-cdk-lib/aws-cloudwatch'
import { SnsAction } from 'aws-cdk-lib/aws-cloudwatch-actions'
import { type ITopic, Topic } from 'aws-cdk-lib/aws-sns'
import type { IQueue } from 'aws-cdk-lib/aws-sqs'
import { Construct } from 'constructs'
import type { StageConfig } from '../config.ts'
import { alarmTopicArn } from '../names.ts'

export type AlarmWhen = {
  /** What the person who is called reads first. */
  readonly says: string
  readonly metric: IMetric
  /** Calls when the metric is at least this. */
  readonly atLeast?: number
  /** Calls when the metric is below this, or missing. */
  readonly below?: number
  /** @default 1 */
  readonly periods?: number
}

/** Alarms of one stack, all to the stage's one topic. */
export class Alarms extends Construct {
  private readonly action: SnsAction

  constructor(scope: Construct, id: string, props: { config: StageConfig }) {
    super(scope, id)
    const topic: ITopic = Topic.fromTopicArn(this, 'Topic', alarmTopicArn(this, props.config.stage))
    this.action = new SnsAction(topic)
  }

  when(id: string, { says, metric, atLeast, below, periods = 1 }: AlarmWhen) {
    const quiet = below === undefined
    new Alarm(this, id, {
      alarmDescription: says,
      metric,
      threshold: below ?? atLeast ?? 1,
      comparisonOperator: quiet
        ? ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD
        : ComparisonOperator.LESS_THAN_THRESHOLD,
      evaluationPeriods: periods,
      treatMissingData: quiet ? TreatMissingData.NOT_BREACHING : TreatMissingData.BREACHING,
    }).addAlarmAction(this.action)
  }

  whenNotEmpty(id: string, queue: IQueue, says: string) {
    const metric = queue.metricApproximateNumberOfMessagesVisible({
      period: Duration.minutes(1),
      statistic: 'max',
    })
    this.when(id, { says, metric })
  }
}
