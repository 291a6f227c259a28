import aslValidator from 'asl-validator'
import { Match } from 'aws-cdk-lib/assertions'
import { machineNames } from '../../infra/stacks/pipelines.ts'
import { asList, identityStatements, resources, stage, template } from './support.ts'

const pipelines = () => template(stage('dev'), 'pipelines')
type State = {
  Type: string
  Resource?: string
  TimeoutSeconds?: unknown
  Retry?: unknown[]
  Catch?: unknown[]
} & Record<string, unknown>
type Definition = { QueryLanguage?: string; TimeoutSeconds?: number; States: Record<string, State> }

const definitions = () =>
  resources(pipelines(), 'AWS::StepFunctions::StateMachine').map(([id, { Properties }]) => ({
    id,
    name: String(Properties.StateMachineName),
    definition: JSON.parse(String(Properties.DefinitionString)) as Definition,
    substitutions: Properties.DefinitionSubstitutions as Record<string, unknown>,
  }))

function* statesOf(definition: { States: Record<string, State> }): Generator<[string, State]> {
  for (const [name, state] of Object.entries(definition.States)) {
    yield [name, state]
    const nested = [state.ItemProcessor, ...((state.Branches as unknown[]) ?? [])].filter(Boolean) as Array<{
      States: Record<string, State>
    }>
    for (const inner of nested) yield* statesOf(inner)
  }
}

test('every file of state-machines/ is a machine', () => {
  expect(
    definitions()
      .map(({ name }) => name)
      .sort(),
  ).toEqual(
    machineNames()
      .map(name => `dev-${name}`)
      .sort(),
  )
})

test('machines are Standard, in JSONata, end some day, write all that happens to a log, and are traced', () => {
  pipelines().allResourcesProperties('AWS::StepFunctions::StateMachine', {
    StateMachineType: 'STANDARD',
    TracingConfiguration: { Enabled: true },
    LoggingConfiguration: { Level: 'ALL', IncludeExecutionData: true },
  })
  for (const { name, definition } of definitions()) {
    expect([name, definition.QueryLanguage, typeof definition.TimeoutSeconds]).toEqual([
      name,
      'JSONata',
      'number',
    ])
  }
})

test('every synthesized machine is valid Amazon States Language', () => {
  for (const { name, definition, substitutions } of definitions()) {
    const text = JSON.stringify(definition).replace(/\$\{([A-Za-z]+)\}/g, (whole, key: string) => {
      expect([name, whole, key in substitutions]).toEqual([name, whole, true])
      return 'arn:aws:lambda:eu-central-1:111122223333:function:stands-for-it'
    })
    const { isValid, errors } = aslValidator(JSON.parse(text), { checkPaths: true })
    expect({ name, isValid, errors }).toEqual({ name, isValid: true, errors: [] })
  }
})

test('every task ends some day, is tried again for a passing fault, and leaves a record when it fails', () => {
  for (const { name, definition } of definitions()) {
    for (const [title, state] of statesOf(definition)) {
      if (state.Type !== 'Task') continue
      const recorder = JSON.stringify(state.Arguments ?? {}).includes('RecordFailureArn')
      const seen = {
        timeout: state.TimeoutSeconds !== undefined,
        retry: (state.Retry ?? []).length > 0,
        caught: recorder || (state.Catch ?? []).length > 0,
      }
      expect([name, title, seen]).toEqual([name, title, { timeout: true, retry: true, caught: true }])
    }
  }
})

test('a machine may call the functions that its file names, and no others', () => {
  for (const { id, name, substitutions } of definitions()) {
    const role = resources(pipelines(), 'AWS::StepFunctions::StateMachine').find(
      ([machine]) => machine === id,
    )?.[1].Properties.RoleArn as {
      'Fn::GetAtt': string[]
    }
    const callable = identityStatements(pipelines())
      .filter(({ roles }) => roles.includes(role['Fn::GetAtt'][0] ?? ''))
      .filter(({ statement }) => asList(statement.Action).includes('lambda:InvokeFunction'))
      .flatMap(({ statement }) => asList(statement.Resource))
    const named = Object.entries(substitutions)
      .filter(([key]) => key.endsWith('Arn') && !key.endsWith('RoleArn') && !key.endsWith('MachineArn'))
      .map(([, value]) => value)
    const sorted = (values: unknown[]) => values.map(value => JSON.stringify(value)).sort()
    expect([name, sorted(callable)]).toEqual([name, sorted(named)])
  }
})

test('a machine that trains may make jobs of its own stage only, and hand its role to SageMaker only', () => {
  pipelines().hasResourceProperties('AWS::IAM::Policy', {
    PolicyDocument: {
      Statement: Match.arrayWith([
        Match.objectLike({
          Action: Match.arrayWith(['sagemaker:CreateTrainingJob']),
          Resource: 'arn:aws:sagemaker:eu-central-1:111122223333:training-job/dev-*',
        }),
        Match.objectLike({
          Action: 'iam:PassRole',
          Condition: { StringEquals: { 'iam:PassedToService': 'sagemaker.amazonaws.com' } },
        }),
      ]),
    },
  })
})

test('a training job reads its prefixes and writes runs and checkpoints', () => {
  const trained = identityStatements(pipelines()).filter(({ roles }) =>
    roles.some(role => role.startsWith('TrainingRole')),
  )
  const objects = (action: string) =>
    trained
      .filter(({ statement }) => asList(statement.Action).includes(action))
      .flatMap(({ statement }) => asList(statement.Resource))
      .map(resource => JSON.stringify(resource).match(/\/([a-z-]+)\/\*/)?.[1])
  expect(new Set(objects('s3:GetObject'))).toEqual(
    new Set(['code', 'wheels', 'base-models', 'sealed', 'frozen', 'runs', 'checkpoints']),
  )
  expect(new Set(objects('s3:PutObject'))).toEqual(new Set(['runs', 'checkpoints']))
})

test('an execution that ends without success leaves a record even when its own catch could not', () => {
  const arns = definitions().map(({ id }) => ({ Ref: id }))
  pipelines().hasResourceProperties('AWS::Events::Rule', {
    EventPattern: {
      source: ['aws.states'],
      detail: { status: ['FAILED', 'TIMED_OUT', 'ABORTED'], stateMachineArn: Match.arrayWith(arns) },
    },
  })
})

test('every machine that fails or times out calls somebody', () => {
  for (const { id } of definitions()) {
    for (const MetricName of ['ExecutionsFailed', 'ExecutionsTimedOut']) {
      pipelines().hasResourceProperties('AWS::CloudWatch::Alarm', {
        MetricName,
        Dimensions: [{ Name: 'StateMachineArn', Value: { Ref: id } }],
        AlarmActions: [Match.stringLikeRegexp(':dev-alarms$')],
      })
    }
  }
})
