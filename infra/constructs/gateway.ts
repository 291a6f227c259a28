import { Aws, RemovalPolicy, Validations } from 'aws-cdk-lib'
import {
  AccessLogFormat,
  ApiDefinition,
  EndpointType,
  LogGroupLogDestination,
  MethodLoggingLevel,
  SpecRestApi,
} from 'aws-cdk-lib/aws-apigateway'
import { ServicePrincipal } from 'aws-cdk-lib/aws-iam'
import { LogGroup, type RetentionDays } from 'aws-cdk-lib/aws-logs'
import type { Construct } from 'constructs'
import type { Route } from '../../api/routes.ts'
import type { StageConfig } from '../config.ts'
import type { AreaFunctions } from './area-functions.ts'
import { gatewayDocument } from './gateway-document.ts'

/** Part of every URL of the gateway; the interface's own version is in the paths. */
const STAGE_NAME = 'api'

export type GatewayProps = {
  readonly config: StageConfig
  readonly functions: AreaFunctions
  readonly routes: Readonly<Record<string, Route>>
}

/** The HTTP interface: one REST API made from the one table of routes. */
export class Gateway extends SpecRestApi {
  constructor(scope: Construct, id: string, props: GatewayProps) {
    const { config, functions, routes } = props
    const document = gatewayDocument(`OpenLedger ${config.stage}`, routes, route =>
      functions.get(route.handler),
    )
    super(scope, id, {
      apiDefinition: ApiDefinition.fromInline(document),
      endpointTypes: [EndpointType.REGIONAL],
      failOnWarnings: true,
      cloudWatchRole: false,
      deployOptions: {
        stageName: STAGE_NAME,
        throttlingRateLimit: config.throttle.requestsPerSecond,
        throttlingBurstLimit: config.throttle.burst,
        tracingEnabled: true,
        metricsEnabled: true,
        loggingLevel: MethodLoggingLevel.ERROR,
        // Bodies hold signatures and prompts: they are never logged.
        dataTraceEnabled: false,
        accessLogFormat: AccessLogFormat.jsonWithStandardFields(),
        accessLogDestination: new LogGroupLogDestination(
          new LogGroup(scope, `${id}AccessLogs`, {
            retention: config.logRetentionDays as RetentionDays,
            removalPolicy: config.retain ? RemovalPolicy.RETAIN : RemovalPolicy.DESTROY,
          }),
        ),
      },
    })
    // A deployment is a picture of the document: a new document needs a new one.
    this.latestDeployment?.addToLogicalId(document)
    this.letItCall(functions)
    this.acknowledge()
  }

  private letItCall(functions: AreaFunctions) {
    for (const target of functions.all()) {
      target.addPermission('Gateway', {
        principal: new ServicePrincipal('apigateway.amazonaws.com'),
        sourceArn: this.arnForExecuteApi('*', '/*', STAGE_NAME),
        sourceAccount: Aws.ACCOUNT_ID,
      })
    }
  }

  private acknowledge() {
    Validations.of(this).acknowledge(
      {
        id: 'AwsSolutions-APIG2',
        reason:
          'Every function checks its request against the schemas of api/routes.ts before anything else; nothing unchecked reaches a rule.',
      },
      {
        id: 'AwsSolutions-APIG3',
        reason:
          'A web ACL costs money while idle. Floods meet the throttle of the stage, forged requests meet signatures and keys; an operator may attach one.',
      },
      {
        id: 'AwsSolutions-APIG4',
        reason:
          'Whoever writes signs the body itself (EIP-712) or shows a key, which the functions check; an authorizer in front could allow nothing that they refuse.',
      },
      {
        id: 'AwsSolutions-COG4',
        reason: 'There are no user accounts: people are their keys, and everything read is public.',
      },
    )
  }
}
