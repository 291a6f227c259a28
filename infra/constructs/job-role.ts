import { Stack } from 'aws-cdk-lib'
import { PolicyStatement, Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam'
import type { Bucket } from 'aws-cdk-lib/aws-s3'
import type { Construct } from 'constructs'
import type { StageConfig } from '../config.ts'
import { useKey } from '../grants.ts'
import type { FoundationStack } from '../stacks/foundation.ts'
import { explainWildcard } from '../wildcards.ts'

export type JobRoleProps = {
  readonly config: StageConfig
  readonly foundation: FoundationStack
  readonly description: string
  /** Prefixes of a bucket, without the slash at the end. */
  readonly read: ReadonlyArray<{ bucket: Bucket; prefixes: readonly string[] }>
  /** @default nothing */
  readonly write?: ReadonlyArray<{ bucket: Bucket; prefixes: readonly string[] }>
}

/** The role that SageMaker's containers run under: the named prefixes, their own logs and metrics, and images. */
export class JobRole extends Role {
  constructor(scope: Construct, id: string, props: JobRoleProps) {
    const { account } = Stack.of(scope)
    super(scope, id, {
      description: `${props.config.stage}: ${props.description}`,
      // Without the condition another account's job could be run under this role (confused deputy).
      assumedBy: new ServicePrincipal('sagemaker.amazonaws.com', {
        conditions: { StringEquals: { 'aws:SourceAccount': account } },
      }),
    })
    for (const { bucket, prefixes } of props.read) this.allowObjects(bucket, prefixes, ['s3:GetObject'])
    for (const { bucket, prefixes } of props.write ?? []) {
      this.allowObjects(bucket, prefixes, [
        's3:GetObject',
        's3:PutObject',
        's3:DeleteObject',
        's3:AbortMultipartUpload',
      ])
    }
    useKey(this, props.foundation.dataKey, 'write')
    this.allowObservation()
    this.allowImages()
    if (Object.values(props.config.modelProfiles).some(profile => profile.training.vpc))
      this.allowNetworkInterfaces()
    this.explainWildcards()
  }

  private allowObjects(bucket: Bucket, prefixes: readonly string[], actions: string[]) {
    this.addToPolicy(
      new PolicyStatement({
        actions,
        resources: prefixes.map(prefix => bucket.arnForObjects(`${prefix}/*`)),
      }),
    )
    this.addToPolicy(
      new PolicyStatement({
        actions: ['s3:ListBucket'],
        resources: [bucket.bucketArn],
        conditions: { StringLike: { 's3:prefix': prefixes.map(prefix => `${prefix}/*`) } },
      }),
    )
  }

  private allowObservation() {
    const group = Stack.of(this).formatArn({
      service: 'logs',
      resource: 'log-group',
      resourceName: 'aws/sagemaker/*',
    })
    this.addToPolicy(
      new PolicyStatement({
        actions: [
          'logs:CreateLogGroup',
          'logs:CreateLogStream',
          'logs:DescribeLogStreams',
          'logs:PutLogEvents',
        ],
        // The colon form that CloudWatch Logs uses for names beginning with a slash.
        resources: [group.replace(':log-group/', ':log-group:/')],
      }),
    )
    this.addToPolicy(
      new PolicyStatement({
        actions: ['cloudwatch:PutMetricData'],
        resources: ['*'],
        conditions: { StringLike: { 'cloudwatch:namespace': ['/aws/sagemaker/*', 'aws/sagemaker/*'] } },
      }),
    )
  }

  private allowImages() {
    this.addToPolicy(new PolicyStatement({ actions: ['ecr:GetAuthorizationToken'], resources: ['*'] }))
    this.addToPolicy(
      new PolicyStatement({
        actions: ['ecr:BatchCheckLayerAvailability', 'ecr:BatchGetImage', 'ecr:GetDownloadUrlForLayer'],
        // AWS keeps its framework images in accounts that differ by region.
        resources: [
          Stack.of(this).formatArn({
            service: 'ecr',
            account: '*',
            resource: 'repository',
            resourceName: '*',
          }),
        ],
      }),
    )
  }

  private allowNetworkInterfaces() {
    this.addToPolicy(
      new PolicyStatement({
        actions: [
          'ec2:CreateNetworkInterface',
          'ec2:CreateNetworkInterfacePermission',
          'ec2:DeleteNetworkInterface',
          'ec2:DeleteNetworkInterfacePermission',
          'ec2:DescribeDhcpOptions',
          'ec2:DescribeNetworkInterfaces',
          'ec2:DescribeSecurityGroups',
          'ec2:DescribeSubnets',
          'ec2:DescribeVpcs',
        ],
        resources: ['*'],
      }),
    )
  }

  private explainWildcards() {
    explainWildcard(
      this,
      /^Resource::\*$/,
      'Metrics (bound to SageMaker namespaces), the ECR log-in and, in a VPC, network interfaces take no resource; none reads data of the stage.',
    )
    explainWildcard(
      this,
      /Arn[0-9A-F]+\/[a-z-]+\/\*$/,
      'Objects below the named prefixes: a job reaches neither uploads nor other parts of the data nor public files.',
    )
    explainWildcard(
      this,
      /:ecr:[^:]*:\*:repository\/\*$/,
      'Pulls images, whose addresses a reviewed config names, and pushes none; with network isolation a job has no way out.',
    )
    explainWildcard(
      this,
      /:log-group:\/aws\/sagemaker\/\*$/,
      'SageMaker names its log streams; the role writes there and reads nothing.',
    )
  }
}
