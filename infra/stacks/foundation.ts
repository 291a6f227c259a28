import { CfnOutput, Stack, type StackProps } from 'aws-cdk-lib'
import type { TableV2 } from 'aws-cdk-lib/aws-dynamodb'
import { EventBus } from 'aws-cdk-lib/aws-events'
import type { IKey } from 'aws-cdk-lib/aws-kms'
import type { Bucket } from 'aws-cdk-lib/aws-s3'
import { HttpMethods } from 'aws-cdk-lib/aws-s3'
import type { Construct } from 'constructs'
import { type BucketName, SIGNING_PURPOSES, type SigningPurpose, TABLES, type TableName } from '../access.ts'
import type { StageConfig } from '../config.ts'
import { AlarmTopic } from '../constructs/alarm-topic.ts'
import { CloseSchedules } from '../constructs/close-schedules.ts'
import { DataKey } from '../constructs/data-key.ts'
import { LedgerTable } from '../constructs/ledger-table.ts'
import { PrivateBucket } from '../constructs/private-bucket.ts'
import { SigningKey } from '../constructs/signing-key.ts'
import { UploadQueue } from '../constructs/upload-queue.ts'
import { pascal } from '../names.ts'

/** Browsers PUT to presigned URLs; the signature in the URL is what lets them, not the origin. */
const UPLOAD_CORS = [
  {
    allowedMethods: [HttpMethods.PUT],
    allowedOrigins: ['*'],
    allowedHeaders: ['*'],
    exposedHeaders: ['etag'],
    maxAge: 3_600,
  },
]
const READ_CORS = [{ allowedMethods: [HttpMethods.GET], allowedOrigins: ['*'], maxAge: 3_600 }]

/** All that must survive: tables, buckets, keys, the bus. The other stacks can be deleted and deployed again. */
export class FoundationStack extends Stack {
  readonly dataKey: IKey
  readonly tables: Readonly<Record<TableName, TableV2>>
  readonly buckets: Readonly<Record<BucketName, Bucket>>
  readonly signingKeys: Readonly<Record<SigningPurpose, IKey>>
  readonly bus: EventBus
  readonly uploadQueue: UploadQueue

  constructor(scope: Construct, id: string, props: StackProps & { config: StageConfig }) {
    super(scope, id, props)
    const { config } = props
    const encryptionKey = new DataKey(this, 'DataKey', { config })
    this.dataKey = encryptionKey

    this.tables = each(
      TABLES,
      name => new LedgerTable(this, `${pascal(name)}Table`, { config, encryptionKey }),
    )
    this.signingKeys = each(
      SIGNING_PURPOSES,
      purpose => new SigningKey(this, `${pascal(purpose)}Key`, { config, purpose }),
    )

    const accessLogs = new PrivateBucket(this, 'AccessLogs', {
      config,
      keepReplacedDays: 1,
      expireAfterDays: 90,
    })
    const bucket = { config, accessLogs, encryptionKey }
    this.buckets = {
      uploads: new PrivateBucket(this, 'Uploads', { ...bucket, cors: UPLOAD_CORS, keepReplacedDays: 7 }),
      data: new PrivateBucket(this, 'Data', { ...bucket, keepReplacedDays: 30 }),
      artifacts: new PrivateBucket(this, 'Artifacts', { ...bucket, keepReplacedDays: 30 }),
      // Ballot files, log tiles, lineages, payout files: everybody may have them, so S3's own key is enough.
      public: new PrivateBucket(this, 'Public', {
        config,
        accessLogs,
        cors: READ_CORS,
        keepReplacedDays: 90,
      }),
    }
    this.uploadQueue = new UploadQueue(this, 'UploadQueue', { uploads: this.buckets.uploads })

    this.bus = new EventBus(this, 'Bus')
    new CloseSchedules(this, 'CloseSchedules', { config })
    new AlarmTopic(this, 'AlarmTopic', { config, encryptionKey })
    this.tellNames()
  }

  /** What `openledger` and the local stack read after a deploy. */
  private tellNames() {
    for (const [name, table] of Object.entries(this.tables))
      this.tell(`${pascal(name)}TableName`, table.tableName)
    for (const [name, bucket] of Object.entries(this.buckets))
      this.tell(`${pascal(name)}BucketName`, bucket.bucketName)
    for (const [purpose, key] of Object.entries(this.signingKeys))
      this.tell(`${pascal(purpose)}KeyId`, key.keyId)
    this.tell('EventBusName', this.bus.eventBusName)
  }

  private tell(name: string, value: string) {
    new CfnOutput(this, name, { value })
  }
}

function each<Name extends string, T>(names: readonly Name[], make: (name: Name) => T): Record<Name, T> {
  return Object.fromEntries(names.map(name => [name, make(name)])) as Record<Name, T>
}
