import { Stack } from 'aws-cdk-lib'
import type { Construct } from 'constructs'
import type { Access } from './access.ts'
import type { StageConfig } from './config.ts'
import { constant, machineArn, roleArn, scheduleGroupName, schedulerRoleName } from './names.ts'
import type { FoundationStack } from './stacks/foundation.ts'

export type Rooms = { readonly config: StageConfig; readonly foundation: FoundationStack }

/** The variables of a row; a function sees no name that it has no right on. */
export function environmentOf(
  scope: Construct,
  row: Access,
  { config, foundation }: Rooms,
): Record<string, string> {
  const { rpcUrls, ...genesis } = config.genesis
  const variables: Record<string, string> = {
    STAGE: config.stage,
    // RPC addresses often carry a provider's key: only those who ask the chain have them.
    GENESIS: JSON.stringify({ ...genesis, rehearsal: config.rehearsal, ...(row.chain ? { rpcUrls } : {}) }),
    RULES: JSON.stringify(config.rules),
  }
  for (const name of namesIn(row.tables))
    variables[`${constant(name)}_TABLE`] = foundation.tables[name].tableName
  for (const name of namesIn(row.buckets))
    variables[`${constant(name)}_BUCKET`] = foundation.buckets[name].bucketName
  for (const purpose of [...(row.sign ?? []), ...(row.publicKeys ?? [])]) {
    variables[`${constant(purpose)}_KEY_ID`] = foundation.signingKeys[purpose].keyId
  }
  for (const machine of [...(row.start ?? []), ...(row.watch ?? [])]) {
    variables[`${constant(machine)}_MACHINE_ARN`] = machineArn(scope, config.stage, machine)
  }
  if (row.schedule) {
    variables.SCHEDULE_GROUP = scheduleGroupName(config.stage)
    variables.SCHEDULER_ROLE_ARN = roleArn(scope, schedulerRoleName(config.stage))
    variables.CLOSE_VOTE_MACHINE_ARN = machineArn(scope, config.stage, 'close-vote')
  }
  // The name that the log's heads are signed under (C2SP signed-note: no spaces, no plus sign).
  const touchesLog = row.tables?.log || [...(row.sign ?? []), ...(row.publicKeys ?? [])].includes('log-head')
  if (touchesLog) variables.LOG_ORIGIN = `openledger/${genesis.deploymentId.slice(2)}`
  if (tellsBus(row)) variables.EVENT_BUS = foundation.bus.eventBusName
  if (row.modelProfiles) {
    const profiles = JSON.stringify(config.modelProfiles)
    variables.MODEL_PROFILES = profiles.replaceAll('{region}', Stack.of(scope).region)
  }
  if (row.modelPrices) {
    variables.MODEL_PRICES = JSON.stringify(config.modelPrices)
    variables.PERIOD_SECONDS = String(config.periodSeconds)
  }
  return variables
}

/** Who appends to the log also says so, which the publisher listens to. */
export const tellsBus = (row: Access) => row.events === 'put' || row.tables?.log === 'write'

export function namesIn<Name extends string>(
  row: Readonly<Partial<Record<Name, unknown>>> | undefined,
): Name[] {
  return Object.keys(row ?? {}) as Name[]
}
