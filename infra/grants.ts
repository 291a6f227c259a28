import { PolicyStatement, type Role } from 'aws-cdk-lib/aws-iam'
import type { IKey } from 'aws-cdk-lib/aws-kms'
import type { Access, BucketName, MachineName, TableName } from './access.ts'
import { BY_KIND } from './constructs/ledger-table.ts'
import { namesIn, type Rooms, tellsBus } from './environment.ts'
import { machineArn, roleArn, sagemakerArns, scheduleArns, schedulerRoleName } from './names.ts'
import type { FoundationStack } from './stacks/foundation.ts'
import { explainWildcard } from './wildcards.ts'

type Mode = 'read' | 'write'

const READ_ITEMS = [
  'dynamodb:GetItem',
  'dynamodb:BatchGetItem',
  'dynamodb:Query',
  'dynamodb:ConditionCheckItem',
]
const WRITE_ITEMS = [
  'dynamodb:PutItem',
  'dynamodb:UpdateItem',
  'dynamodb:DeleteItem',
  'dynamodb:BatchWriteItem',
]
const READ_OBJECTS = ['s3:GetObject']
/** Versioned objects: a delete leaves a marker, and the version can be brought back while it is kept. */
const WRITE_OBJECTS = ['s3:PutObject', 's3:DeleteObject', 's3:AbortMultipartUpload']

/** Gives `role` the rights of a row, each on the named thing only. */
export function grant(role: Role, row: Access, { config, foundation }: Rooms) {
  for (const name of namesIn(row.tables)) grantTable(role, foundation, name, row.tables?.[name] ?? 'read')
  for (const name of namesIn(row.buckets))
    grantBucket(role, foundation, name, row.buckets?.[name] === 'read' ? 'read' : 'write')
  for (const purpose of row.sign ?? [])
    foundation.signingKeys[purpose].grant(role, 'kms:Sign', 'kms:GetPublicKey')
  for (const purpose of row.publicKeys ?? []) foundation.signingKeys[purpose].grant(role, 'kms:GetPublicKey')
  if (tellsBus(row)) foundation.bus.grantPutEventsTo(role)
  grantMachines(role, row, config.stage)
  if (row.schedule) grantSchedules(role, config.stage)
  grantSageMaker(role, row, config.stage)
}

function grantTable(role: Role, { tables, dataKey }: FoundationStack, name: TableName, mode: Mode) {
  const { tableArn } = tables[name]
  allow(
    role,
    [...READ_ITEMS, ...(mode === 'write' ? WRITE_ITEMS : [])],
    [tableArn, `${tableArn}/index/${BY_KIND}`],
  )
  useKey(role, dataKey, mode)
}

function grantBucket(role: Role, { buckets, dataKey }: FoundationStack, name: BucketName, mode: Mode) {
  const bucket = buckets[name]
  allow(role, [...READ_OBJECTS, ...(mode === 'write' ? WRITE_OBJECTS : [])], [bucket.arnForObjects('*')])
  // Without the right to list, a missing object answers 403 like a forbidden one.
  allow(role, ['s3:ListBucket'], [bucket.bucketArn])
  if (bucket.encryptionKey) useKey(role, dataKey, mode)
  explainWildcard(
    role,
    /Arn[0-9A-F]+\/\*$/,
    'The objects of a bucket that the row names: keys are digests and ids, known only at run time.',
  )
}

/** DynamoDB and S3 use the key on the caller's behalf; the CDK's own grant would add forms with wildcards. */
export function useKey(role: Role, key: IKey, mode: Mode) {
  key.grant(
    role,
    'kms:Decrypt',
    'kms:DescribeKey',
    ...(mode === 'write' ? ['kms:Encrypt', 'kms:GenerateDataKey'] : []),
  )
}

function grantMachines(role: Role, row: Access, stage: string) {
  const machines = (names: readonly MachineName[]) => names.map(name => machineArn(role, stage, name))
  const executions = (names: readonly MachineName[]) =>
    machines(names).map(arn => `${arn.replace(':stateMachine:', ':execution:')}:*`)
  if (row.start) {
    allow(role, ['states:StartExecution'], machines(row.start))
    // A repeated start compares its input with that of the execution which holds the name.
    allow(role, ['states:DescribeExecution'], executions(row.start))
  }
  if (row.watch)
    allow(role, ['states:DescribeExecution', 'states:GetExecutionHistory'], executions(row.watch))
  if (row.sendTaskResult) {
    allow(
      role,
      ['states:SendTaskSuccess', 'states:SendTaskFailure', 'states:SendTaskHeartbeat'],
      machines(row.sendTaskResult),
    )
  }
  explainWildcard(
    role,
    /:execution:[a-z0-9-]+:\*$/,
    'The executions of a machine that the row names: looked at, not changed.',
  )
}

function grantSchedules(role: Role, stage: string) {
  allow(
    role,
    ['scheduler:CreateSchedule', 'scheduler:GetSchedule', 'scheduler:DeleteSchedule'],
    [scheduleArns(role, stage)],
  )
  role.addToPolicy(
    new PolicyStatement({
      actions: ['iam:PassRole'],
      resources: [roleArn(role, schedulerRoleName(stage))],
      conditions: { StringEquals: { 'iam:PassedToService': 'scheduler.amazonaws.com' } },
    }),
  )
  explainWildcard(
    role,
    /:schedule\/[a-z0-9-]+\/\*$/,
    "One schedule a proposal, in the stage's own group; the role passed starts close-vote and nothing else.",
  )
}

function grantSageMaker(role: Role, row: Access, stage: string) {
  const named = (...kinds: string[]) => kinds.map(kind => sagemakerArns(role, stage, kind))
  if (row.invokeEndpoints) {
    const actions = ['sagemaker:InvokeEndpoint', 'sagemaker:InvokeEndpointWithResponseStream']
    allow(role, actions, named('endpoint', 'inference-component'))
  }
  if (row.scaleModels) {
    allow(role, ['sagemaker:DescribeInferenceComponent'], named('inference-component'))
    allow(role, ['sagemaker:UpdateInferenceComponentRuntimeConfig'], named('inference-component'))
  }
  if (row.sagemakerDescribe) {
    allow(role, ['sagemaker:DescribeTrainingJob'], named('training-job'))
    allow(role, ['sagemaker:DescribeEndpoint'], named('endpoint'))
    allow(role, ['sagemaker:DescribeInferenceComponent'], named('inference-component'))
  }
  explainWildcard(
    role,
    /:sagemaker:[^:]*:[^:]*:[a-z-]+\/[a-z0-9-]+-\*$/,
    'Jobs and endpoints are named at run time; the prefix is the stage, so nothing of another stage is reached.',
  )
}

function allow(role: Role, actions: string[], resources: string[]) {
  role.addToPolicy(new PolicyStatement({ actions, resources }))
}
