import { Duration, RemovalPolicy } from 'aws-cdk-lib'
import { ServicePrincipal } from 'aws-cdk-lib/aws-iam'
import { Key } from 'aws-cdk-lib/aws-kms'
import type { Construct } from 'constructs'
import type { StageConfig } from '../config.ts'

/** The one key under which tables, private buckets and the alarm topic are encrypted at rest. */
export class DataKey extends Key {
  constructor(scope: Construct, id: string, props: { config: StageConfig }) {
    super(scope, id, {
      description: `${props.config.stage}: data at rest`,
      enableKeyRotation: true,
      // The longest window AWS has: with this key gone, every table and object is gone.
      pendingWindow: Duration.days(props.config.retain ? 30 : 7),
      removalPolicy: props.config.retain ? RemovalPolicy.RETAIN : RemovalPolicy.DESTROY,
    })
    // CloudWatch publishes alarms into the encrypted topic under its own name.
    this.grantEncryptDecrypt(new ServicePrincipal('cloudwatch.amazonaws.com'))
  }
}
