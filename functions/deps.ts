import { KMSClient } from '@aws-sdk/client-kms'
import { S3Client } from '@aws-sdk/client-s3'
import { SchedulerClient } from '@aws-sdk/client-scheduler'
import { SFNClient } from '@aws-sdk/client-sfn'
import { votingToken } from '../adapters/chain/voting-token.ts'
import { documentClient } from '../adapters/dynamo/document-client.ts'
import { ballotBook, powerCache, proposalBook, warrantBook } from '../adapters/dynamo/governance-table.ts'
import { kmsDigestSigner } from '../adapters/kms/digest-signer.ts'
import { files } from '../adapters/s3/files.ts'
import { closeSchedule } from '../adapters/scheduler/close-schedule.ts'
import { machineStarter } from '../adapters/sfn/machines.ts'
import { rules as rulesSchema } from '../api/schemas/governance.ts'
import type { Genesis } from '../domain/governance/genesis.ts'
import { rulePresets } from '../domain/governance/rules.ts'
import { parseAddress, parseBytes32 } from '../domain/protocol/hex.ts'

/**
 * Live adapters from the environment, each built at its first use and kept while the function is warm. A
 * function has only the variables of what `infra/access.ts` lets it touch, so using another one fails by name.
 */

function once<T>(build: () => T): () => T {
  let built: { value: T } | undefined
  return () => {
    built ??= { value: build() }
    return built.value
  }
}

function variable(name: string): string {
  const value = process.env[name]
  if (value === undefined || value === '') {
    throw new Error(`${name} is not set: infra/access.ts does not grant it to this function`)
  }
  return value
}

const s3 = once(() => new S3Client({ requestChecksumCalculation: 'WHEN_REQUIRED', forcePathStyle: isLocal() }))
const kms = once(() => new KMSClient({}))
const sfn = once(() => new SFNClient({}))
const scheduler = once(() => new SchedulerClient({}))
const dynamo = once(documentClient)

/** The emulator has no bucket host names; every other difference lives in infra/config.ts. */
function isLocal(): boolean {
  return process.env.AWS_ENDPOINT_URL !== undefined
}

type GenesisVariable = Omit<Genesis, 'rules'> & { readonly rpcUrls: readonly string[] }
const genesisVariable = once(() => JSON.parse(variable('GENESIS')) as GenesisVariable)

export const deps = {
  genesis: once((): Genesis => {
    const given = genesisVariable()
    const rules = JSON.parse(variable('RULES')) as unknown
    return {
      deploymentId: parseBytes32(given.deploymentId),
      stage: variable('STAGE'),
      chainId: given.chainId,
      gOpen: parseAddress(given.gOpen),
      openToken: parseAddress(given.openToken),
      rewardClaims: parseAddress(given.rewardClaims),
      governors: {
        addresses: given.governors.addresses.map(parseAddress),
        threshold: given.governors.threshold,
      },
      rules:
        typeof rules === 'string' ? rulePresets[rules as keyof typeof rulePresets] : rulesSchema.parse(rules),
      rehearsal: given.rehearsal,
    }
  }),
  rpcUrls: () => genesisVariable().rpcUrls,
  logOrigin: () => variable('LOG_ORIGIN'),

  proposals: once(() => proposalBook(dynamo(), variable('GOVERNANCE_TABLE'))),
  ballots: once(() => ballotBook(dynamo(), variable('GOVERNANCE_TABLE'))),
  powers: once(() => powerCache(dynamo(), variable('GOVERNANCE_TABLE'))),
  warrants: once(() => warrantBook(dynamo(), variable('GOVERNANCE_TABLE'))),
  token: once(() => {
    const { rpcUrls, chainId, gOpen } = genesisVariable()
    return votingToken({ rpcUrls, chainId, gOpen: parseAddress(gOpen) })
  }),
  schedule: once(() =>
    closeSchedule(scheduler(), {
      stage: variable('STAGE'),
      group: variable('SCHEDULE_GROUP'),
      roleArn: variable('SCHEDULER_ROLE_ARN'),
      machineArn: variable('CLOSE_VOTE_MACHINE_ARN'),
    }),
  ),

  publicFiles: once(() => files(s3(), variable('PUBLIC_BUCKET'))),
  artifacts: once(() => files(s3(), variable('ARTIFACTS_BUCKET'))),

  receiptSigner: once(() => kmsDigestSigner(kms(), variable('RECEIPT_KEY_ID'))),
  warrantSigner: once(() => kmsDigestSigner(kms(), variable('WARRANT_KEY_ID'))),
  payoutSigner: once(() => kmsDigestSigner(kms(), variable('PAYOUT_KEY_ID'))),

  machines: once(() =>
    machineStarter(sfn(), {
      get 'fine-tune'() {
        return variable('FINE_TUNE_MACHINE_ARN')
      },
      get align() {
        return variable('ALIGN_MACHINE_ARN')
      },
      get release() {
        return variable('RELEASE_MACHINE_ARN')
      },
      get 'measure-baselines'() {
        return variable('MEASURE_BASELINES_MACHINE_ARN')
      },
    }),
  ),
}
