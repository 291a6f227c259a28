import { Duration, RemovalPolicy } from 'aws-cdk-lib'
import { Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam'
import { Architecture, Function as LambdaFunction, Runtime, Tracing } from 'aws-cdk-lib/aws-lambda'
import { LogGroup, type RetentionDays } from 'aws-cdk-lib/aws-logs'
import type { Construct } from 'constructs'
import { type Access, access } from '../access.ts'
import type { StageConfig } from '../config.ts'
import { environmentOf } from '../environment.ts'
import { grant } from '../grants.ts'
import { pascal, signerRoleName, verbOf } from '../names.ts'
import type { FoundationStack } from '../stacks/foundation.ts'
import { explainWildcard } from '../wildcards.ts'
import { functionCode } from './function-code.ts'

const DEFAULT_TIMEOUT_SECONDS = 30
const DEFAULT_MEMORY_MB = 512

export type AreaFunctionProps = {
  readonly config: StageConfig
  readonly foundation: FoundationStack
  /** `governance/cast-ballot`: the file below functions/ and the row in access.ts. */
  readonly entry: string
  readonly role: Role
}

/** One handler: its bundle, its log group, and the rights and variables of its row in access.ts. */
export class AreaFunction extends LambdaFunction {
  readonly entry: string

  constructor(scope: Construct, props: AreaFunctionProps) {
    const { config, entry, role } = props
    const id = functionId(entry)
    const row = accessOf(entry)
    const logGroup = new LogGroup(scope, `${id}Logs`, {
      retention: config.logRetentionDays as RetentionDays,
      removalPolicy: config.retain ? RemovalPolicy.RETAIN : RemovalPolicy.DESTROY,
    })
    super(scope, id, {
      description: `functions/${entry}.ts`,
      runtime: Runtime.NODEJS_24_X,
      architecture: Architecture.ARM_64,
      ...functionCode(scope, entry),
      role,
      logGroup,
      tracing: Tracing.ACTIVE,
      timeout: Duration.seconds(row.timeoutSeconds ?? DEFAULT_TIMEOUT_SECONDS),
      memorySize: row.memoryMb ?? DEFAULT_MEMORY_MB,
      environment: environmentOf(scope, row, props),
    })
    this.entry = entry
    logGroup.grantWrite(role)
    grant(role, row, props)
    explainWildcard(
      role,
      /^Resource::\*$/,
      'X-Ray takes trace segments without a resource: written, never read.',
    )
  }
}

/**
 * The role of one entry, or of several that share one. Roles that sign have names, which key policies tell.
 */
export function functionRole(scope: Construct, name: string, row: Access, config: StageConfig): Role {
  return new Role(scope, `${functionId(name)}Role`, {
    description: `${config.stage}: ${name}`,
    assumedBy: new ServicePrincipal('lambda.amazonaws.com'),
    ...(row.sign ? { roleName: signerRoleName(config.stage, name) } : {}),
  })
}

/** `governance/cast-ballot` -> `CastBallot`: verbs are unique over all areas, so that machines can name them alone. */
export const functionId = (entry: string) => pascal(verbOf(entry))

export function accessOf(entry: string): Access {
  const row = access[entry]
  if (row) return row
  throw new Error(`functions/${entry}.ts has no row in infra/access.ts: say there what it may touch`)
}
