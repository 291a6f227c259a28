import { CfnOutput, Stack, type StackProps } from 'aws-cdk-lib'
import type { Construct } from 'constructs'
import { routes } from '../../api/routes.ts'
import type { StageConfig } from '../config.ts'
import { ApiAlarms } from '../constructs/api-alarms.ts'
import { AreaFunctions } from '../constructs/area-functions.ts'
import { Gateway } from '../constructs/gateway.ts'
import type { FoundationStack } from './foundation.ts'

/** The HTTP interface and one function for each of its routes. */
export class ApiStack extends Stack {
  constructor(
    scope: Construct,
    id: string,
    props: StackProps & { config: StageConfig; foundation: FoundationStack },
  ) {
    super(scope, id, props)
    const { config, foundation } = props
    const functions = new AreaFunctions(this, { config, foundation })
    const gateway = new Gateway(this, 'Gateway', { config, functions, routes })
    new ApiAlarms(this, 'Alarms', { config, gateway })

    new CfnOutput(this, 'ApiId', { value: gateway.restApiId })
    new CfnOutput(this, 'ApiStageName', { value: gateway.deploymentStage.stageName })
    new CfnOutput(this, 'BaseUrl', { value: gateway.url })
    for (const fn of functions.all()) {
      if (streamedHandlers.has(fn.entry))
        new CfnOutput(this, `${fn.node.id}FunctionName`, { value: fn.functionName })
    }
  }
}

/** The local edge runs these in its own process, with their own variables, because the emulator cannot stream. */
const streamedHandlers = new Set<string>(
  Object.values(routes).flatMap(route => ('streamed' in route && route.streamed ? [route.handler] : [])),
)
