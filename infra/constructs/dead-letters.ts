import { Duration, Validations } from 'aws-cdk-lib'
import type { RuleTargetInput } from 'aws-cdk-lib/aws-events'
import { LambdaFunction as LambdaTarget } from 'aws-cdk-lib/aws-events-targets'
import { SqsDestination } from 'aws-cdk-lib/aws-lambda-destinations'
import { type IQueue, Queue, QueueEncryption } from 'aws-cdk-lib/aws-sqs'
import type { Construct } from 'constructs'
import type { AreaFunction } from './area-function.ts'

/** Lambda's own default, said aloud: an event is tried three times in all. */
const RETRIES = 2

/**
 * Events that no attempt could handle; kept for fourteen days, the longest that SQS has, to look at them. Two ways
 * lead here: the rule cannot reach the function, and the function takes the event but fails each time.
 */
export class DeadLetters extends Queue {
  constructor(scope: Construct, id: string) {
    super(scope, id, {
      encryption: QueueEncryption.SQS_MANAGED,
      enforceSSL: true,
      retentionPeriod: Duration.days(14),
    })
    Validations.of(this).acknowledge({
      id: 'AwsSolutions-SQS3',
      reason: 'This is itself a queue of dead letters, of an EventBridge rule, which the check does not see.',
    })
  }

  /** `target` as the target of a rule, with both ways out ending in this queue. */
  targetOf(target: AreaFunction, props: { event?: RuleTargetInput } = {}): LambdaTarget {
    if (!target.node.tryFindChild('EventInvokeConfig')) {
      target.configureAsyncInvoke({ retryAttempts: RETRIES, onFailure: new SqsDestination(this as IQueue) })
    }
    return new LambdaTarget(target, { ...props, deadLetterQueue: this, retryAttempts: RETRIES })
  }
}
