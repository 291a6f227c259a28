import { Duration, RemovalPolicy, Validations } from 'aws-cdk-lib'
import type { IKey } from 'aws-cdk-lib/aws-kms'
import {
  BlockPublicAccess,
  Bucket,
  BucketEncryption,
  type CorsRule,
  type IBucket,
  ObjectOwnership,
} from 'aws-cdk-lib/aws-s3'
import type { Construct } from 'constructs'
import type { StageConfig } from '../config.ts'

export type PrivateBucketProps = {
  readonly config: StageConfig
  /** @default S3's own key, for what anybody may read and for access logs */
  readonly encryptionKey?: IKey
  readonly accessLogs?: Bucket
  /** @default none */
  readonly cors?: readonly CorsRule[]
  /** How long a replaced or deleted object can be brought back. */
  readonly keepReplacedDays: number
  /** @default kept */
  readonly expireAfterDays?: number
}

/** A bucket that nobody reaches without a signed request over TLS. Readers without an account get presigned URLs. */
export class PrivateBucket extends Bucket {
  constructor(scope: Construct, id: string, props: PrivateBucketProps) {
    const { config, encryptionKey, accessLogs } = props
    super(scope, id, {
      blockPublicAccess: BlockPublicAccess.BLOCK_ALL,
      enforceSSL: true,
      minimumTLSVersion: 1.2,
      versioned: true,
      objectOwnership: ObjectOwnership.BUCKET_OWNER_ENFORCED,
      ...(encryptionKey
        ? { encryption: BucketEncryption.KMS, encryptionKey, bucketKeyEnabled: true }
        : { encryption: BucketEncryption.S3_MANAGED }),
      ...(accessLogs
        ? { serverAccessLogsBucket: accessLogs as IBucket, serverAccessLogsPrefix: `${id.toLowerCase()}/` }
        : {}),
      cors: [...(props.cors ?? [])],
      lifecycleRules: [
        {
          abortIncompleteMultipartUploadAfter: Duration.days(1),
          noncurrentVersionExpiration: Duration.days(props.keepReplacedDays),
          ...(props.expireAfterDays ? { expiration: Duration.days(props.expireAfterDays) } : {}),
        },
      ],
      removalPolicy: config.retain ? RemovalPolicy.RETAIN : RemovalPolicy.DESTROY,
      autoDeleteObjects: !config.retain,
    })
    if (!accessLogs) {
      Validations.of(this).acknowledge({
        id: 'AwsSolutions-S1',
        reason:
          'This bucket receives the access logs; logging into itself would never end. It holds no upload and no weights.',
      })
    }
  }
}
