import { Stack } from 'aws-cdk-lib'
import { type IGrantable, PolicyStatement } from 'aws-cdk-lib/aws-iam'
import type { Construct } from 'constructs'
import { type Access, access, type BucketName, type MachineName, type TableName } from './access.ts'
import type { StageConfig } from './config.ts'
import {
  calledFunctionName,
  constant,
  functionArn,
  machineArn,
  roleArn,
  sagemakerArns,
  scheduleArns,
  scheduleGroupName,
  schedulerRoleName,
  verbOf,
} from './names.ts'
import type { FoundationStack } from './stacks/foundation.ts'

type Rooms = { readonly config: StageConfig; readonly foundation: FoundationStack }
type Grantee = Construct & IGrantable

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

/** The variables of a row; a function sees no name that it has no right on. */
export function environmentOf(
  scope: Construct,
  row: Access,
  { config, foundation }: Rooms,
): Record<string, string> {
  const { rpcUrls, ...genesis } = config.genesis
  const variables: Record<string, string> = {
    STAGE: config.stage,
    // RPC addresses often carry a provider's key: only those who ask the chain have them.
    GENESIS: JSON.stringify({ ...genesis, rehearsal: config.rehearsal, ...(row.chain ? { rpcUrls } : {}) }),
    RULES: JSON.stringify(config.rules),
  }
  for (const name of namesIn(row.tables))
    variables[`${constant(name)}_TABLE`] = foundation.tables[name].tableName
  for (const name of namesIn(row.buckets))
    variables[`${constant(name)}_BUCKET`] = foundation.buckets[name].bucketName
  for (const purpose of [...(row.sign ?? []), ...(row.publicKeys ?? [])]) {
    variables[`${constant(purpose)}_KEY_ID`] = foundation.signingKeys[purpose].keyId
  }
  for (const machine of [...(row.start ?? []), ...(row.watch ?? [])]) {
    variables[`${constant(machine)}_MACHINE_ARN`] = machineArn(scope, config.stage, machine)
  }
  if (row.schedule) {
    variables.SCHEDULE_GROUP = scheduleGroupName(config.stage)
    variables.SCHEDULER_ROLE_ARN = roleArn(scope, schedulerRoleName(config.stage))
    variables.CLOSE_VOTE_MACHINE_ARN = machineArn(scope, config.stage, 'close-vote')
  }
  // The name that the log's heads are signed under (C2SP signed-note: no spaces, no plus sign).
  const touchesLog = row.tables?.log || [...(row.sign ?? []), ...(row.publicKeys ?? [])].includes('log-head')
  if (touchesLog) variables.LOG_ORIGIN = `openledger/${genesis.deploymentId.slice(2)}`
  if (row.events) variables.EVENT_BUS = foundation.bus.eventBusName
  for (const entry of invokedBy(row)) {
    variables[`${constant(verbOf(entry))}_FUNCTION`] = calledFunctionName(config.stage, entry)
  }
  if (row.modelProfiles) {
    const profiles = JSON.stringify(config.modelProfiles)
    variables.MODEL_PROFILES = profiles.replaceAll('{region}', Stack.of(scope).region)
  }
  if (row.modelPrices) {
    variables.MODEL_PRICES = JSON.stringify(config.modelPrices)
    variables.PERIOD_SECONDS = String(config.periodSeconds)
  }
  return variables
}

/** Who may append to the log may also say that there is something to publish. */
function invokedBy(row: Access): readonly string[] {
  const publishes = row.sign?.includes('log-head')
  return [...(row.invoke ?? []), ...(row.tables?.log === 'write' && !publishes ? ['data/publish-log'] : [])]
}

/** Entries that another function calls have names known beforehand: caller and callee may be in different stacks. */
export function isCalled(entry: string): boolean {
  return Object.values(access).some(row => invokedBy(row).includes(entry))
}

/** The rights of a row, each on the named thing only. */
export function grant(grantee: Grantee, row: Access, { config, foundation }: Rooms) {
  for (const name of namesIn(row.tables))
    grantTable(grantee, foundation, name, row.tables?.[name] === 'write')
  for (const name of namesIn(row.buckets))
    grantBucket(grantee, foundation, name, row.buckets?.[name] !== 'read')
  for (const purpose of row.sign ?? [])
    foundation.signingKeys[purpose].grant(grantee, 'kms:Sign', 'kms:GetPublicKey')
  for (const purpose of row.publicKeys ?? [])
    foundation.signingKeys[purpose].grant(grantee, 'kms:GetPublicKey')
  if (row.events) foundation.bus.grantPutEventsTo(grantee)
  for (const statement of statementsOf(grantee, row, config.stage)) {
    grantee.grantPrincipal.addToPrincipalPolicy(statement)
  }
}

function grantTable(grantee: Grantee, { tables, dataKey }: FoundationStack, name: TableName, write: boolean) {
  tables[name].grant(grantee, ...READ_ITEMS, ...(write ? WRITE_ITEMS : []))
  if (write) dataKey.grantEncryptDecrypt(grantee)
  else dataKey.grantDecrypt(grantee)
}

function grantBucket(
  grantee: Grantee,
  { buckets, dataKey }: FoundationStack,
  name: BucketName,
  write: boolean,
) {
  const bucket = buckets[name]
  const actions = [...READ_OBJECTS, ...(write ? WRITE_OBJECTS : [])]
  grantee.grantPrincipal.addToPrincipalPolicy(
    new PolicyStatement({ actions, resources: [bucket.arnForObjects('*')] }),
  )
  // Without the right to list, a missing object answers 403 like a forbidden one.
  grantee.grantPrincipal.addToPrincipalPolicy(
    new PolicyStatement({ actions: ['s3:ListBucket'], resources: [bucket.bucketArn] }),
  )
  if (!bucket.encryptionKey) return
  if (write) dataKey.grantEncryptDecrypt(grantee)
  else dataKey.grantDecrypt(grantee)
}

function statementsOf(scope: Construct, row: Access, stage: string): PolicyStatement[] {
  const machines = (names: readonly MachineName[]) => names.map(name => machineArn(scope, stage, name))
  const allow = (actions: string[], resources: string[], conditions?: Record<string, unknown>) =>
    new PolicyStatement({ actions, resources, ...(conditions ? { conditions } : {}) })
  const statements: PolicyStatement[] = []
  for (const entry of invokedBy(row)) {
    statements.push(allow(['lambda:InvokeFunction'], [functionArn(scope, calledFunctionName(stage, entry))]))
  }
  if (row.watch) {
    const executions = row.watch.map(name => executionArns(scope, stage, name))
    statements.push(allow(['states:DescribeExecution', 'states:GetExecutionHistory'], executions))
  }
  if (row.start) {
    statements.push(allow(['states:StartExecution'], machines(row.start)))
    // A repeated start compares its input with that of the execution which holds the name.
    statements.push(
      allow(
        ['states:DescribeExecution'],
        row.start.map(name => executionArns(scope, stage, name)),
      ),
    )
  }
  if (row.sendTaskResult) {
    statements.push(
      allow(
        ['states:SendTaskSuccess', 'states:SendTaskFailure', 'states:SendTaskHeartbeat'],
        machines(row.sendTaskResult),
      ),
    )
  }
  if (row.schedule) {
    const actions = ['scheduler:CreateSchedule', 'scheduler:GetSchedule', 'scheduler:DeleteSchedule']
    statements.push(allow(actions, [scheduleArns(scope, stage)]))
    statements.push(
      allow(['iam:PassRole'], [roleArn(scope, schedulerRoleName(stage))], {
        StringEquals: { 'iam:PassedToService': 'scheduler.amazonaws.com' },
      }),
    )
  }
  if (row.invokeEndpoints) {
    const targets = [
      sagemakerArns(scope, stage, 'endpoint'),
      sagemakerArns(scope, stage, 'inference-component'),
    ]
    statements.push(
      allow(['sagemaker:InvokeEndpoint', 'sagemaker:InvokeEndpointWithResponseStream'], targets),
    )
  }
  if (row.sagemakerDescribe) {
    for (const [action, kind] of DESCRIBED)
      statements.push(allow([action], [sagemakerArns(scope, stage, kind)]))
  }
  return statements
}

const DESCRIBED = [
  ['sagemaker:DescribeTrainingJob', 'training-job'],
  ['sagemaker:DescribeEndpoint', 'endpoint'],
  ['sagemaker:DescribeInferenceComponent', 'inference-component'],
] as const

const executionArns = (scope: Construct, stage: string, machine: MachineName) =>
  `${machineArn(scope, stage, machine).replace(':stateMachine:', ':execution:')}:*`

function namesIn<Name extends string>(row: Readonly<Partial<Record<Name, unknown>>> | undefined): Name[] {
  return Object.keys(row ?? {}) as Name[]
}
