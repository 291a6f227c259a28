import { Match } from 'aws-cdk-lib/assertions'
import { type Route, routes } from '../../api/routes.ts'
import { gatewayDocument } from '../../infra/constructs/gateway-document.ts'
import { resources, stage, template } from './support.ts'

const api = () => template(stage('dev'), 'api')
type Body = { paths: Record<string, Record<string, Record<string, unknown>>> } & Record<string, unknown>
const body = () => resources(api(), 'AWS::ApiGateway::RestApi')[0]?.[1].Properties.Body as Body

test('every route of the table is an operation of the gateway', () => {
  for (const [operationId, route] of Object.entries(routes)) {
    expect(body().paths[route.path]?.[route.method.toLowerCase()]).toMatchObject({ operationId })
  }
})

test('streamed routes are streamed for as long as Lambda runs; the others end where API Gateway ends', () => {
  for (const route of Object.values<Route>(routes)) {
    const operation = body().paths[route.path]?.[route.method.toLowerCase()]
    const integration = operation?.['x-amazon-apigateway-integration'] as Record<string, unknown>
    const uri = JSON.stringify(integration.uri)
    if (route.streamed) {
      expect(integration).toMatchObject({ responseTransferMode: 'STREAM', timeoutInMillis: 900_000 })
      expect(uri).toContain('2021-11-15/functions/')
      expect(uri).toContain('/response-streaming-invocations')
    } else {
      expect(integration).toMatchObject({ timeoutInMillis: 29_000 })
      expect(uri).toContain('2015-03-31/functions/')
    }
  }
})

test('every path answers a preflight without a function', () => {
  for (const [path, operations] of Object.entries(body().paths)) {
    expect([path, operations.options?.['x-amazon-apigateway-integration']]).toEqual([
      path,
      expect.objectContaining({ type: 'mock' }),
    ])
  }
})

test('the gateway may call each function, from this interface of this account only', () => {
  const permissions = resources(api(), 'AWS::Lambda::Permission').filter(
    ([, { Properties }]) => Properties.Principal === 'apigateway.amazonaws.com',
  )
  expect(permissions).toHaveLength(new Set(Object.values(routes).map(route => route.handler)).size)
  for (const [, { Properties }] of permissions) {
    expect(Properties.SourceAccount).toEqual({ Ref: 'AWS::AccountId' })
    expect(JSON.stringify(Properties.SourceArn)).toContain('execute-api')
  }
})

test('calls are throttled and logged without their bodies', () => {
  api().hasResourceProperties('AWS::ApiGateway::Stage', {
    AccessLogSetting: Match.anyValue(),
    TracingEnabled: true,
    MethodSettings: [
      Match.objectLike({
        HttpMethod: '*',
        ResourcePath: '/*',
        ThrottlingRateLimit: 50,
        ThrottlingBurstLimit: 100,
        DataTraceEnabled: false,
      }),
    ],
  })
})

test('a changed document makes a new deployment', async () => {
  const { App, Stack } = await import('aws-cdk-lib')
  const { ApiDefinition, SpecRestApi } = await import('aws-cdk-lib/aws-apigateway')
  const { Function: Lambda, Code, Runtime } = await import('aws-cdk-lib/aws-lambda')
  const { Template } = await import('aws-cdk-lib/assertions')
  const deploymentOf = (summary: string) => {
    const stack = new Stack(new App(), 'S')
    const target = new Lambda(stack, 'F', {
      runtime: Runtime.NODEJS_24_X,
      handler: 'index.handler',
      code: Code.fromInline('//'),
    })
    const document = gatewayDocument('t', { getThing: { ...routes.getGenesis, summary } }, () => target)
    const gateway = new SpecRestApi(stack, 'Api', { apiDefinition: ApiDefinition.fromInline(document) })
    gateway.latestDeployment?.addToLogicalId(document)
    return Object.keys(Template.fromStack(stack).findResources('AWS::ApiGateway::Deployment'))[0]
  }
  expect(deploymentOf('one')).not.toBe(deploymentOf('two'))
  expect(deploymentOf('one')).toBe(deploymentOf('one'))
})
