import { Stack } from 'aws-cdk-lib'
import { PolicyStatement } from 'aws-cdk-lib/aws-iam'
import type { Construct } from 'constructs'
import type { StageConfig } from '../config.ts'
import { machineArn, sagemakerArns } from '../names.ts'
import type { JobRole } from './job-role.ts'

type Rooms = {
  readonly config: StageConfig
  readonly machine: string
  readonly trainingRole: JobRole
  readonly servingRole: JobRole
}

/** SageMaker's kinds by the noun of the action, and what an action on the one also needs on others. */
const KINDS: Readonly<Record<string, readonly string[]>> = {
  TrainingJob: ['training-job'],
  Model: ['model'],
  EndpointConfig: ['endpoint-config'],
  Endpoint: ['endpoint', 'endpoint-config'],
  InferenceComponent: ['inference-component', 'endpoint'],
  InferenceComponentRuntimeConfig: ['inference-component'],
}

/** The rights that a definition's `Resource` strings need, as AWS documents them for each integration. */
export function integrationStatements(scope: Construct, definition: string, rooms: Rooms): PolicyStatement[] {
  const resources = [
    ...new Set(
      [...definition.matchAll(/"Resource":"(arn:aws:states:::[^"]+)"/g)].map(match => match[1] ?? ''),
    ),
  ]
  const statements = resources.sort().flatMap(resource => statementsFor(scope, resource, rooms))
  return definition.includes('"Mode":"DISTRIBUTED"')
    ? [...statements, ...distributedMap(scope, rooms)]
    : statements
}

function statementsFor(scope: Construct, resource: string, rooms: Rooms): PolicyStatement[] {
  const name = resource.slice('arn:aws:states:::'.length)
  if (name.startsWith('lambda:invoke')) return []
  if (name.startsWith('sagemaker:createTrainingJob')) return trainingJob(scope, rooms)
  const [, action] = name.match(/^(?:aws-sdk:)?sagemaker:([a-zA-Z]+)$/) ?? []
  if (action) return sagemakerAction(scope, action, rooms)
  throw new Error(
    `state-machines/${rooms.machine}.asl.json uses ${resource}: say in infra/constructs/machine-rights.ts what it needs`,
  )
}

/** `.sync`: Step Functions starts the job, waits by its own EventBridge rule, and stops the job when it is stopped. */
function trainingJob(scope: Construct, { config, trainingRole }: Rooms): PolicyStatement[] {
  const rule = Stack.of(scope).formatArn({
    service: 'events',
    resource: 'rule',
    resourceName: 'StepFunctionsGetEventsForSageMakerTrainingJobsRule',
  })
  return [
    new PolicyStatement({
      actions: [
        'sagemaker:CreateTrainingJob',
        'sagemaker:DescribeTrainingJob',
        'sagemaker:StopTrainingJob',
        'sagemaker:AddTags',
      ],
      resources: [sagemakerArns(scope, config.stage, 'training-job')],
    }),
    new PolicyStatement({
      actions: ['events:PutTargets', 'events:PutRule', 'events:DescribeRule'],
      resources: [rule],
    }),
    passRole(trainingRole),
  ]
}

function sagemakerAction(
  scope: Construct,
  action: string,
  { config, servingRole }: Rooms,
): PolicyStatement[] {
  const name = action.charAt(0).toUpperCase() + action.slice(1)
  const kinds = KINDS[name.replace(/^(Create|Describe|Update|Delete|Stop)/, '')]
  if (kinds === undefined)
    throw new Error(`sagemaker:${name}: its kind of resource is not in infra/constructs/machine-rights.ts`)
  const creates = name.startsWith('Create')
  const statement = new PolicyStatement({
    actions: [`sagemaker:${name}`, ...(creates ? ['sagemaker:AddTags'] : [])],
    resources: kinds.map(kind => sagemakerArns(scope, config.stage, kind)),
  })
  return creates ? [statement, passRole(servingRole)] : [statement]
}

/** Only SageMaker may be handed the role, so that the machine cannot use its rights for anything else. */
function passRole(role: JobRole) {
  return new PolicyStatement({
    actions: ['iam:PassRole'],
    resources: [role.roleArn],
    conditions: { StringEquals: { 'iam:PassedToService': 'sagemaker.amazonaws.com' } },
  })
}

/** A distributed map runs its items as child executions of the same machine. */
function distributedMap(scope: Construct, { config, machine }: Rooms): PolicyStatement[] {
  const own = machineArn(scope, config.stage, machine)
  return [
    new PolicyStatement({ actions: ['states:StartExecution'], resources: [own] }),
    new PolicyStatement({
      actions: ['states:DescribeExecution', 'states:StopExecution'],
      resources: [
        `${own.replace(':stateMachine:', ':execution:')}:*`,
        `${own.replace(':stateMachine:', ':execution:')}/*`,
      ],
    }),
  ]
}
