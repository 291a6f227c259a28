import { readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { Aws, RemovalPolicy } from 'aws-cdk-lib'
import { PolicyStatement } from 'aws-cdk-lib/aws-iam'
import { LogGroup, type RetentionDays } from 'aws-cdk-lib/aws-logs'
import { DefinitionBody, LogLevel, StateMachine, StateMachineType } from 'aws-cdk-lib/aws-stepfunctions'
import type { Construct } from 'constructs'
import { BUCKETS } from '../access.ts'
import type { StageConfig } from '../config.ts'
import { kebab, machineArn, machineName, pascal } from '../names.ts'
import type { FoundationStack } from '../stacks/foundation.ts'
import { explainWildcard } from '../wildcards.ts'
import type { AreaFunctions } from './area-functions.ts'
import type { JobRole } from './job-role.ts'
import { integrationStatements } from './machine-rights.ts'

export const MACHINE_FILES = resolve(import.meta.dirname, '../../state-machines')

export type MachineProps = {
  readonly config: StageConfig
  readonly foundation: FoundationStack
  readonly functions: AreaFunctions
  readonly trainingRole: JobRole
  readonly servingRole: JobRole
  /** `fine-tune`: the file state-machines/fine-tune.asl.json. */
  readonly machine: string
}

/**
 * A Standard machine as its file says it. What the file names is what its role may use: `${CheckWarrantArn}` is the
 * function functions/<area>/check-warrant.ts, and each `Resource` brings the rights of its integration.
 */
export class Machine extends StateMachine {
  readonly machine: string

  constructor(scope: Construct, props: MachineProps) {
    const { config, functions, machine } = props
    const definition = readDefinition(machine)
    const id = `${pascal(machine)}Machine`
    super(scope, id, {
      stateMachineName: machineName(config.stage, machine),
      stateMachineType: StateMachineType.STANDARD,
      definitionBody: DefinitionBody.fromString(definition),
      definitionSubstitutions: substitutions(scope, definition, props),
      tracingEnabled: true,
      logs: {
        level: LogLevel.ALL,
        includeExecutionData: true,
        // Step Functions refuses log groups whose names make its resource policy too long; this prefix is exempt.
        destination: new LogGroup(scope, `${id}Logs`, {
          logGroupName: `/aws/vendedlogs/states/${machineName(config.stage, machine)}`,
          retention: config.logRetentionDays as RetentionDays,
          removalPolicy: config.retain ? RemovalPolicy.RETAIN : RemovalPolicy.DESTROY,
        }),
      },
    })
    this.machine = machine
    // The bare ARNs only: the CDK's own grant adds every version and alias.
    const called = verbsIn(definition).map(verb => functions.getByVerb(verb, fileOf(machine)).functionArn)
    this.addToRolePolicy(new PolicyStatement({ actions: ['lambda:InvokeFunction'], resources: called }))
    for (const statement of integrationStatements(this, definition, props)) this.addToRolePolicy(statement)
    explainWildcard(
      this.role,
      /^Resource::\*$/,
      'Log delivery and X-Ray take no resource: the machine says where its own log goes and writes traces; it reads neither.',
    )
    explainWildcard(
      this.role,
      /:(training-job|model|endpoint|endpoint-config|inference-component)\/[a-z0-9-]+-\*$/,
      'Jobs and endpoints are named at run time; the prefix is the stage, so nothing of another stage is reached.',
    )
    explainWildcard(this.role, /:execution:[a-z0-9-]+[:/]\*$/, 'Child executions of this very machine.')
  }
}

const fileOf = (machine: string) => `state-machines/${machine}.asl.json`
const PLACEHOLDER = /\$\{([A-Za-z]+)\}/g

/** Without the white space of the file: the definition counts against the size of the template. */
function readDefinition(machine: string): string {
  const path = join(MACHINE_FILES, `${machine}.asl.json`)
  return JSON.stringify(JSON.parse(readFileSync(path, 'utf8')))
}

const placeholdersIn = (definition: string) =>
  [...new Set([...definition.matchAll(PLACEHOLDER)].map(match => match[1] ?? ''))].sort()

/** `${CheckWarrantArn}` -> `check-warrant`. Arns of roles and machines are not functions. */
function verbsIn(definition: string): string[] {
  return placeholdersIn(definition)
    .filter(name => name.endsWith('Arn') && !name.endsWith('RoleArn') && !name.endsWith('MachineArn'))
    .map(name => kebab(name.slice(0, -'Arn'.length)))
}

function substitutions(scope: Construct, definition: string, props: MachineProps): Record<string, string> {
  const { config, foundation, functions, trainingRole, servingRole, machine } = props
  const facts: Record<string, string> = {
    Stage: config.stage,
    Region: Aws.REGION,
    Account: Aws.ACCOUNT_ID,
    TrainingRoleArn: trainingRole.roleArn,
    ServingRoleArn: servingRole.roleArn,
    ...Object.fromEntries(
      BUCKETS.map(name => [`${pascal(name)}Bucket`, foundation.buckets[name].bucketName]),
    ),
  }
  const substitute = (name: string): string => {
    const fact = facts[name]
    if (fact !== undefined) return fact
    if (name.endsWith('MachineArn'))
      return machineArn(scope, config.stage, kebab(name.slice(0, -'MachineArn'.length)))
    if (name.endsWith('Arn'))
      return functions.getByVerb(kebab(name.slice(0, -'Arn'.length)), fileOf(machine)).functionArn
    throw new Error(
      `${fileOf(machine)} has \${${name}}: expected a function (\${VerbArn}) or one of ${Object.keys(facts).join(', ')}`,
    )
  }
  return Object.fromEntries(placeholdersIn(definition).map(name => [name, substitute(name)]))
}
