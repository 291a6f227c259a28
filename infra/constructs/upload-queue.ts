import { Duration, Stack } from 'aws-cdk-lib'
import { ServicePrincipal } from 'aws-cdk-lib/aws-iam'
import type { Bucket, CfnBucket } from 'aws-cdk-lib/aws-s3'
import { Queue, QueueEncryption, type QueuePolicy } from 'aws-cdk-lib/aws-sqs'
import type { Construct } from 'constructs'

/** Lambda's advice is six times the function's time-out, so that a slow start is not taken for a lost one. */
const VISIBILITY_SECONDS = 6 * 30
/** Then a person looks: the upload got a receipt and must end in a decision. */
const ATTEMPTS = 5

/**
 * Arrived uploads, one message an object; S3 may say one twice. What cannot be handled waits in `failures`,
 * which has an alarm.
 */
export class UploadQueue extends Queue {
  readonly failures: Queue

  constructor(scope: Construct, id: string, props: { uploads: Bucket }) {
    const failures = new Queue(scope, `${id}Failures`, {
      encryption: QueueEncryption.SQS_MANAGED,
      enforceSSL: true,
      retentionPeriod: Duration.days(14),
    })
    super(scope, id, {
      encryption: QueueEncryption.SQS_MANAGED,
      enforceSSL: true,
      visibilityTimeout: Duration.seconds(VISIBILITY_SECONDS),
      deadLetterQueue: { queue: failures, maxReceiveCount: ATTEMPTS },
    })
    this.failures = failures
    this.receiveFrom(props.uploads)
  }

  /**
   * Written into the bucket itself: the CDK's own notifications bring a Lambda with rights on every bucket. The
   * policy names the account and not the bucket, because the bucket needs the policy first.
   */
  private receiveFrom(uploads: Bucket) {
    this.grantSendMessages(
      new ServicePrincipal('s3.amazonaws.com', {
        conditions: { StringEquals: { 'aws:SourceAccount': Stack.of(this).account } },
      }),
    )
    const bucket = uploads.node.defaultChild as CfnBucket
    bucket.notificationConfiguration = {
      queueConfigurations: [{ event: 's3:ObjectCreated:*', queue: this.queueArn }],
    }
    bucket.node.addDependency(this.node.findChild('Policy') as QueuePolicy)
  }
}
