import { EventBridgeClient } from '@aws-sdk/client-eventbridge'
import { KMSClient } from '@aws-sdk/client-kms'
import { S3Client } from '@aws-sdk/client-s3'
import { SageMakerClient } from '@aws-sdk/client-sagemaker'
import { SageMakerRuntimeClient } from '@aws-sdk/client-sagemaker-runtime'
import { SchedulerClient } from '@aws-sdk/client-scheduler'
import { SFNClient } from '@aws-sdk/client-sfn'
import { deposits } from '../adapters/chain/deposits.ts'
import { rewardClaims } from '../adapters/chain/reward-claims.ts'
import { votingToken } from '../adapters/chain/voting-token.ts'
import { roundBook } from '../adapters/dynamo/alignment-table.ts'
import { recordBook } from '../adapters/dynamo/copy-index.ts'
import { accountBook, datanetBook, datasetBook, submissionBook } from '../adapters/dynamo/data-table.ts'
import { documentClient } from '../adapters/dynamo/document-client.ts'
import { ballotBook, powerCache, proposalBook, warrantBook } from '../adapters/dynamo/governance-table.ts'
import { logBook } from '../adapters/dynamo/log-table.ts'
import { pause } from '../adapters/dynamo/pause.ts'
import { measurementBook, settlementBook } from '../adapters/dynamo/rewards-table.ts'
import { activityBook, aliasBook, keyBook, usageBook } from '../adapters/dynamo/serving-table.ts'
import { baselineBook, runBook, versionBook } from '../adapters/dynamo/training-table.ts'
import { eventBus } from '../adapters/eventbridge/event-bus.ts'
import { kmsDigestSigner } from '../adapters/kms/digest-signer.ts'
import { kmsNoteSigner } from '../adapters/kms/note-signer.ts'
import { files } from '../adapters/s3/files.ts'
import { trainingProgress } from '../adapters/s3/training-progress.ts'
import { treeDigest } from '../adapters/s3/tree-digest.ts'
import { uploads } from '../adapters/s3/uploads.ts'
import { modelCopies } from '../adapters/sagemaker/model-copies.ts'
import { servedModel } from '../adapters/sagemaker/served-model.ts'
import { closeSchedule } from '../adapters/scheduler/close-schedule.ts'
import { executedStates } from '../adapters/sfn/execution-history.ts'
import { machineStarter } from '../adapters/sfn/machines.ts'
import { settlementStarter } from '../adapters/sfn/settlement-starter.ts'
import { succeedTask } from '../adapters/sfn/succeed-task.ts'
import { rules as rulesSchema } from '../api/schemas/governance.ts'
import { appendLeaves } from '../domain/data/append-leaves.ts'
import type { FrozenFacts } from '../domain/data/freeze-datanet.ts'
import { openDatanet } from '../domain/data/open-datanet.ts'
import type { AccountBook, Log } from '../domain/data/ports.ts'
import { OpenLedgerError } from '../domain/errors.ts'
import type { Genesis } from '../domain/governance/genesis.ts'
import { rulePresets } from '../domain/governance/rules.ts'
import type { WarrantedMachine } from '../domain/governance/warrant.ts'
import { parseAddress, parseBytes32 } from '../domain/protocol/hex.ts'
import { verifierKey } from '../domain/protocol/signed-note.ts'
import type { RewardClaims } from '../domain/rewards/ports.ts'
import type { ServingProfile } from '../domain/serving/plan-release.ts'
import { parsePrices } from '../domain/serving/price.ts'
import type { Recipe } from '../domain/training/recipe.ts'
import type { JobProfile } from '../domain/training/training-job.ts'
import { logger } from './http/endpoint.ts'

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

const s3 = once(
  () => new S3Client({ requestChecksumCalculation: 'WHEN_REQUIRED', forcePathStyle: isLocal() }),
)
const kms = once(() => new KMSClient({}))
const events = once(() => new EventBridgeClient({}))
const sfn = once(() => new SFNClient({}))
const sagemaker = once(() => new SageMakerClient({}))
const sagemakerRuntime = once(() => new SageMakerRuntimeClient({ maxAttempts: 1 }))
const scheduler = once(() => new SchedulerClient({}))
const dynamo = once(documentClient)

/** The emulator has no bucket host names; every other difference lives in infra/config.ts. */
function isLocal(): boolean {
  return process.env.AWS_ENDPOINT_URL !== undefined
}

/** A head is signed within a minute in any case; telling it now makes it seconds. So a failure here is none. */
async function tellAppended(index: number) {
  try {
    await eventBus(events(), variable('EVENT_BUS')).tell('log.appended', { index })
  } catch (error) {
    logger.warn('log.append-not-told', { error: error as Error })
  }
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

  datanets: once(() => datanetBook(dynamo(), variable('DATA_TABLE'))),
  submissions: once(() => submissionBook(dynamo(), variable('DATA_TABLE'))),
  records: once(() => recordBook(dynamo(), variable('DATA_TABLE'))),
  accounts: once(
    (): AccountBook => accountBook(dynamo(), variable('DATA_TABLE'), deps.genesis().governors.addresses),
  ),
  datasets: once(() => datasetBook(dynamo(), variable('DATA_TABLE'))),
  pause,
  uploads: once(() => uploads(s3(), variable('UPLOADS_BUCKET'))),
  dataFiles: once(() => files(s3(), variable('DATA_BUCKET'))),
  /** All that a frozen dataset is made from. */
  frozenFacts: (): FrozenFacts => ({
    genesis: deps.genesis(),
    datanets: deps.datanets(),
    submissions: deps.submissions(),
    accounts: deps.accounts(),
    logBook: deps.logBook(),
    data: deps.dataFiles(),
  }),
  intake: once(() => machineStarter(sfn(), { intake: variable('INTAKE_MACHINE_ARN') })),
  /** Opens the Datanet of a passed proposal; the same proposal twice is one Datanet. */
  openDatanet: once(
    () => (proposal: Parameters<typeof openDatanet>[1], terms: Parameters<typeof openDatanet>[2]) =>
      openDatanet({ datanets: deps.datanets(), log: deps.log() }, proposal, terms, Date.now()),
  ),

  logBook: once(() => logBook(dynamo(), variable('LOG_TABLE'))),
  /** The public log: `append` gives a leaf its index; the same leaf twice has one. */
  log: once(
    (): Log => ({
      async append(leaf) {
        const [index] = await appendLeaves({ log: deps.logBook(), pause }, [leaf])
        await tellAppended(index!)
        return { index: index! }
      },
    }),
  ),
  logHeadSigner: once(() => kmsNoteSigner(kms(), variable('LOG_HEAD_KEY_ID'))),
  /** The key that verifies log heads, as one line (C2SP signed-note): `<name>+<id>+<base64>`. */
  logHeadKey: async (): Promise<string> =>
    verifierKey({ name: deps.logOrigin(), publicKey: await deps.logHeadSigner().publicKey() }),

  publicFiles: once(() => files(s3(), variable('PUBLIC_BUCKET'))),
  artifacts: once(() => files(s3(), variable('ARTIFACTS_BUCKET'))),

  /** Digest of every object under a prefix of the artifact bucket. */
  artifactsTree: once(() => (prefix: string) => treeDigest(s3(), variable('ARTIFACTS_BUCKET'), prefix)),
  trainingProgress: once(
    () => (checkpointUri: string | null) => trainingProgress(deps.artifacts(), checkpointUri),
  ),

  runs: once(() => runBook(dynamo(), variable('TRAINING_TABLE'))),
  versions: once(() => versionBook(dynamo(), variable('TRAINING_TABLE'))),
  baselines: once(() => baselineBook(dynamo(), variable('TRAINING_TABLE'))),
  rounds: once(() => roundBook(dynamo(), variable('ALIGNMENT_TABLE'))),
  /** Tells the machine that waits for a round; a token that is spent already changes nothing. */
  completeRound: once(() => (round: { taskToken: string }) => succeedTask(sfn(), round.taskToken)),

  modelProfile: (name: string): JobProfile & ServingProfile => {
    const profiles = JSON.parse(variable('MODEL_PROFILES')) as Record<string, JobProfile & ServingProfile>
    const profile = profiles[name]
    if (profile !== undefined) return profile
    throw new OpenLedgerError('malformed', 'This stage has no such model profile', {
      expected: Object.keys(profiles).join(', '),
      seen: name,
    })
  },
  /** What planning a job needs beside the job itself. */
  jobFacts: (profile: string, recipe: Recipe) => ({
    stage: variable('STAGE'),
    artifactsBucket: variable('ARTIFACTS_BUCKET'),
    dataBucket: variable('DATA_BUCKET'),
    profile: deps.modelProfile(profile),
    recipe,
  }),
  executedStates: once(() => (machine: WarrantedMachine, execution: string) => {
    const arn = variable(`${machine.toUpperCase().replace('-', '_')}_MACHINE_ARN`)
    return executedStates(sfn(), `${arn.replace(':stateMachine:', ':execution:')}:${execution}`)
  }),

  settlements: once(() => settlementBook(dynamo(), variable('REWARDS_TABLE'))),
  measurements: once(() => measurementBook(dynamo(), variable('REWARDS_TABLE'))),
  settlementStarter: once(() => settlementStarter(sfn(), variable('SETTLE_PAYOUTS_MACHINE_ARN'))),
  rewardClaims: once((): RewardClaims => {
    const facts = genesisVariable()
    return rewardClaims({
      rpcUrls: facts.rpcUrls,
      chainId: facts.chainId,
      rewardClaims: parseAddress(facts.rewardClaims),
      settler: () => deps.payoutSigner(),
    })
  }),

  apiKeys: once(() => keyBook(dynamo(), variable('SERVING_TABLE'))),
  /** Usage by period: close a period, then its sums are final. */
  usage: once(() => usageBook(dynamo(), variable('SERVING_TABLE'))),
  aliases: once(() => aliasBook(dynamo(), variable('SERVING_TABLE'))),
  modelActivity: once(() => activityBook(dynamo(), variable('SERVING_TABLE'))),
  deposits: once(() => {
    const { rpcUrls, chainId, rewardClaims } = genesisVariable()
    return deposits({ rpcUrls, chainId, rewardClaims: parseAddress(rewardClaims) })
  }),
  servedModel: once(() => servedModel(sagemakerRuntime())),
  modelCopies: once(() => modelCopies(sagemaker())),
  modelPrices: once(() => parsePrices(variable('MODEL_PRICES'))),
  periodSeconds: once(() => Number(variable('PERIOD_SECONDS'))),
  artifactsBucket: () => variable('ARTIFACTS_BUCKET'),

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
