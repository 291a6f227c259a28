import { Arn, ArnFormat, Stack } from 'aws-cdk-lib'
import type { Construct } from 'constructs'

/** `cast-ballot` -> `CastBallot`; the other way round is `kebab`. */
export const pascal = (kebab: string) =>
  kebab.replace(/(^|-)([a-z0-9])/g, (_, __, letter) => letter.toUpperCase())
export const kebab = (pascal: string) => pascal.replace(/(?<!^)([A-Z])/g, '-$1').toLowerCase()
/** `close-vote` -> `CLOSE_VOTE`, as in environment variables. */
export const constant = (kebab: string) => kebab.replaceAll('-', '_').toUpperCase()

/**
 * Names that must be known before the thing exists: a machine whose own function starts another machine, a key
 * policy that names a role made in a later stack. Everything else is named by CloudFormation.
 */
export const machineName = (stage: string, machine: string) => `${stage}-${machine}`
export const signerRoleName = (stage: string, handler: string) => `${stage}-${handler.replace('/', '-')}`
export const verbOf = (entry: string) => entry.slice(entry.indexOf('/') + 1)
export const scheduleGroupName = (stage: string) => `${stage}-close-vote`
export const schedulerRoleName = (stage: string) => `${stage}-close-vote-scheduler`
export const alarmTopicName = (stage: string) => `${stage}-alarms`

export function machineArn(scope: Construct, stage: string, machine: string): string {
  const resourceName = machineName(stage, machine)
  return format(scope, 'states', 'stateMachine', resourceName, ArnFormat.COLON_RESOURCE_NAME)
}
export function scheduleArns(scope: Construct, stage: string): string {
  return format(scope, 'scheduler', 'schedule', `${scheduleGroupName(stage)}/*`)
}
export function roleArn(scope: Construct, roleName: string): string {
  return Arn.format({ service: 'iam', region: '', resource: 'role', resourceName: roleName }, Stack.of(scope))
}
export function alarmTopicArn(scope: Construct, stage: string): string {
  return format(scope, 'sns', alarmTopicName(stage), undefined, ArnFormat.NO_RESOURCE_NAME)
}
/** All SageMaker resources of one kind that this stage makes at run time: their names begin with the stage. */
export function sagemakerArns(scope: Construct, stage: string, kind: string): string {
  return format(scope, 'sagemaker', kind, `${stage}-*`)
}

function format(
  scope: Construct,
  service: string,
  resource: string,
  resourceName?: string,
  arnFormat: ArnFormat = ArnFormat.SLASH_RESOURCE_NAME,
): string {
  const name = resourceName === undefined ? {} : { resourceName }
  return Arn.format({ service, resource, ...name, arnFormat }, Stack.of(scope))
}
