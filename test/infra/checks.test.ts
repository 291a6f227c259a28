import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { App, type CfnResource, type IPolicyValidationContext, Stack } from 'aws-cdk-lib'
import { Policy, PolicyStatement, Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam'
import { CfnKey } from 'aws-cdk-lib/aws-kms'
import { CfnBucket } from 'aws-cdk-lib/aws-s3'
import type { IConstruct } from 'constructs'
import { fixedMonthlyUsdMicro } from '../../infra/monthly-price.ts'
import { AcknowledgedChecks, explainWildcard } from '../../infra/wildcards.ts'
import { anApp, resources, stage, template, templatesOf } from './support.ts'

/** CloudFormation ends at 500 resources a stack; the rest is room to grow in. */
const MAX_RESOURCES = 350
/** Three keys of Ethereum, one of the log, one of the data, and some alarms. */
const MAX_FIXED_USD_MICRO = 12_000_000

/** Counts what it is asked about. */
class CountingChecks extends AcknowledgedChecks {
  readonly looked: string[] = []
  protected override checkResource(node: CfnResource) {
    this.looked.push(node.cfnResourceType)
    super.checkResource(node)
  }
}
const contextOf = (app: App) =>
  ({ appConstruct: app as IConstruct }) as unknown as IPolicyValidationContext & { appConstruct: IConstruct }

/** What any plugin reports of a synthesized app; a plugin without findings has no report. */
function findingsOf(assembly: { directory: string }): unknown[] {
  const report = readFileSync(join(assembly.directory, 'validation-report.json'), 'utf8')
  return (JSON.parse(report) as { pluginReports: unknown[] }).pluginReports
}

test.each(['dev', 'prod'])(
  'neither cdk-nag nor the CDK finds anything unexplained in %s, and cdk-nag looked at more than 60 resources',
  name => {
    process.env.CDK_VALIDATION = 'true'
    try {
      const app = anApp(name)
      expect(findingsOf(app.synth())).toEqual([])

      const checks = new CountingChecks(app)
      expect(checks.validate(contextOf(app)).success).toBe(true)
      expect(checks.looked.length).toBeGreaterThan(60)
      expect(checks.looked).toEqual(
        expect.arrayContaining(['AWS::StepFunctions::StateMachine', 'AWS::IAM::Policy', 'AWS::S3::Bucket']),
      )
    } finally {
      process.env.CDK_VALIDATION = 'false'
    }
  },
  60_000,
)

test('it finds a violation that is planted', () => {
  const app = anApp()
  new CfnBucket(app.node.findChild('dev-foundation'), 'Planted')
  expect(() => app.synth()).toThrow(/dev-foundation\/Planted/)
  const report = new AcknowledgedChecks(app).validate(contextOf(app))
  expect(report.violations.map(violation => violation.ruleName)).toContain('AwsSolutions-S10')
})

test("the CDK's own rules look at values: an unknown kind of key is reported, Ed25519 is known", () => {
  process.env.CDK_VALIDATION = 'true'
  try {
    const keyPolicy = {
      Statement: [{ Effect: 'Allow', Principal: '*', Action: 'kms:GetPublicKey', Resource: '*' }],
    }
    const aKey = (keySpec: string) => {
      const app = new App({ context: { '@aws-cdk/core:validateAgainstDefaultRules': true } })
      new CfnKey(new Stack(app, 'S'), 'Key', { keySpec, keyUsage: 'SIGN_VERIFY', keyPolicy })
      return findingsOf(app.synth())
    }
    expect(aKey('ECC_NIST_EDWARDS25519')).toEqual([])
    expect(JSON.stringify(aKey('ECC_MADE_UP'))).toMatch(/ECC_MADE_UP/)
  } finally {
    process.env.CDK_VALIDATION = 'false'
  }
}, 60_000)

test('a written reason covers the wildcard that it names and no other', () => {
  const app = new App()
  const stack = new Stack(app, 'S')
  const role = new Role(stack, 'Role', { assumedBy: new ServicePrincipal('lambda.amazonaws.com') })
  new Policy(stack, 'P', {
    roles: [role],
    statements: [
      new PolicyStatement({
        actions: ['s3:GetObject'],
        resources: ['arn:aws:s3:::one/*', 'arn:aws:s3:::two/*'],
      }),
    ],
  })
  explainWildcard(stack, /:::one\/\*$/, 'planted')
  const report = new AcknowledgedChecks(app).validate(contextOf(app))
  const wildcards = report.violations.filter(violation => violation.ruleName.startsWith('AwsSolutions-IAM5'))
  expect(wildcards.map(violation => violation.ruleName)).toEqual([
    'AwsSolutions-IAM5[Resource::arn:aws:s3:::two/*]',
  ])
})

test.each(['dev', 'prod'] as const)('no stack of %s comes near the limit of resources', name => {
  for (const [stack, of] of Object.entries(stage(name))) {
    const count = Object.keys(of.toJSON().Resources as object).length
    expect([stack, count, count <= MAX_RESOURCES]).toEqual([stack, count, true])
  }
})

test.each(['dev', 'prod'] as const)(
  'nothing of %s is always on, and what is fixed costs a few dollars a month',
  name => {
    const total = Object.values(stage(name)).reduce((sum, of) => sum + fixedMonthlyUsdMicro(of.toJSON()), 0)
    expect(total).toBeGreaterThanOrEqual(5_000_000)
    expect(total).toBeLessThan(MAX_FIXED_USD_MICRO)
  },
)

test('the price table refuses what it does not know and what is always on', () => {
  expect(() => fixedMonthlyUsdMicro({ Resources: { Nat: { Type: 'AWS::EC2::NatGateway' } } })).toThrow(
    /NatGateway/,
  )
  const Properties = { ProvisionedConcurrencyConfig: { ProvisionedConcurrentExecutions: 1 } }
  expect(() =>
    fixedMonthlyUsdMicro({ Resources: { Fn: { Type: 'AWS::Lambda::Function', Properties } } }),
  ).toThrow(/costs money while nobody uses it/)
})

test('only tables, buckets, keys, the bus and the queue of arrived uploads cross stacks', () => {
  const exported = Object.values(template(stage('dev'), 'foundation').findOutputs('*', { Export: {} })).map(
    output => JSON.stringify(output.Value),
  )
  expect(exported.length).toBeGreaterThan(0)
  for (const value of exported)
    expect(value).toMatch(/Table|Key|Bus|Uploads|Data|Artifacts|Public|UploadQueue/)
  expect(Object.values(template(stage('dev'), 'pipelines').findOutputs('*', { Export: {} }))).toEqual([])
})

test('everything carries the name of its stage and its deployment', () => {
  for (const [, bucket] of resources(template(stage('dev'), 'foundation'), 'AWS::S3::Bucket')) {
    expect(bucket.Properties.Tags).toEqual(
      expect.arrayContaining([
        { Key: 'openledger:stage', Value: 'dev' },
        expect.objectContaining({ Key: 'openledger:deployment' }),
      ]),
    )
  }
})

test('a stage without a genesis can be looked at, but says at once that it cannot be deployed', () => {
  const app = anApp('dev', { genesis: null })
  const foundation = app.node.findChild('dev-foundation')
  expect(foundation.node.metadata).toEqual(
    expect.arrayContaining([
      expect.objectContaining({ type: 'aws:cdk:error', data: expect.stringMatching(/openledger init/) }),
    ]),
  )
})

test('prod refuses to be deleted', () => {
  expect(
    anApp('prod')
      .node.children.filter((child): child is Stack => child instanceof Stack)
      .every(stack => stack.terminationProtection),
  ).toBe(true)
  expect(templatesOf(anApp('dev', { local: true }))).not.toHaveProperty('console')
})
