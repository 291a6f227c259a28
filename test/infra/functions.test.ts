import { Match } from 'aws-cdk-lib/assertions'
import { resources, stage, template } from './support.ts'

/** Lambda's limit for all variables of a function together. */
const MAX_ENVIRONMENT_BYTES = 4_096

const ours = (stack: string) =>
  resources(template(stage('prod'), stack), 'AWS::Lambda::Function').filter(([, { Properties }]) =>
    String(Properties.Description).startsWith('functions/'),
  )

test.each(['pipelines', 'api'])(
  'functions of %s run Node 24 on arm64, traced, into a log group with retention',
  stack => {
    expect(ours(stack).length).toBeGreaterThan(0)
    const groups = new Map(resources(template(stage('prod'), stack), 'AWS::Logs::LogGroup'))
    for (const [id, { Properties }] of ours(stack)) {
      expect({ id, ...Properties }).toMatchObject({
        Runtime: 'nodejs24.x',
        Architectures: ['arm64'],
        TracingConfig: { Mode: 'Active' },
      })
      const { LogGroup } = Properties.LoggingConfig as { LogGroup: { Ref: string } }
      expect(groups.get(LogGroup.Ref)?.Properties.RetentionInDays).toBe(365)
    }
  },
)

test.each(['pipelines', 'api'])('the variables of the functions of %s fit into what Lambda takes', stack => {
  for (const [id, { Properties }] of ours(stack)) {
    const { Variables } = Properties.Environment as { Variables: Record<string, unknown> }
    const bytes = Buffer.byteLength(JSON.stringify(Variables))
    expect([id, bytes, bytes < MAX_ENVIRONMENT_BYTES]).toEqual([id, bytes, true])
  }
})

test('a function sees only the tables, buckets and keys of its row', () => {
  template(stage('dev'), 'api').hasResourceProperties('AWS::Lambda::Function', {
    Description: 'functions/governance/get-receipt.ts',
    Environment: {
      Variables: {
        STAGE: 'dev',
        GENESIS: Match.anyValue(),
        RULES: '"openledger-docs"',
        GOVERNANCE_TABLE: Match.anyValue(),
        RECEIPT_KEY_ID: Match.anyValue(),
      },
    },
  })
})

test('an arrived upload starts the intake, one bad message at a time', () => {
  template(stage('dev'), 'pipelines').hasResourceProperties('AWS::Lambda::EventSourceMapping', {
    FunctionResponseTypes: ['ReportBatchItemFailures'],
    FunctionName: { Ref: Match.stringLikeRegexp('^StartIntake') },
  })
})

test('the log is published each minute and when an append is told', () => {
  const pipelines = template(stage('dev'), 'pipelines')
  pipelines.hasResourceProperties('AWS::Events::Rule', {
    ScheduleExpression: 'rate(1 minute)',
    State: 'ENABLED',
  })
  pipelines.hasResourceProperties('AWS::Events::Rule', {
    EventPattern: { source: ['openledger'], 'detail-type': ['log.appended'] },
  })
})

test('every dead letter calls somebody', () => {
  const pipelines = template(stage('dev'), 'pipelines')
  const watched = resources(pipelines, 'AWS::CloudWatch::Alarm').flatMap(([, { Properties }]) =>
    Properties.MetricName === 'ApproximateNumberOfMessagesVisible'
      ? [JSON.stringify(Properties.Dimensions)]
      : [],
  )
  for (const [id] of resources(pipelines, 'AWS::SQS::Queue')) {
    expect([id, watched.some(dimensions => dimensions.includes(id))]).toEqual([id, true])
  }
  expect(watched.some(dimensions => dimensions.includes('UploadQueueFailures'))).toBe(true)
})

test('an event that no attempt could handle is kept, whether the rule or the function failed', () => {
  const pipelines = template(stage('dev'), 'pipelines')
  const targets = resources(pipelines, 'AWS::Events::Rule').flatMap(
    ([, { Properties }]) =>
      Properties.Targets as Array<{ Arn: { 'Fn::GetAtt': string[] }; DeadLetterConfig?: unknown }>,
  )
  const kept = resources(pipelines, 'AWS::Lambda::EventInvokeConfig').map(([, { Properties }]) =>
    JSON.stringify(Properties),
  )
  expect(targets.length).toBeGreaterThan(0)
  for (const { Arn, DeadLetterConfig } of targets) {
    const [id] = Arn['Fn::GetAtt']
    expect([
      id,
      DeadLetterConfig !== undefined,
      kept.some(config => config.includes(`"${id}"`) && config.includes('OnFailure')),
    ]).toEqual([id, true, true])
  }
})
