import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { CloudFormationClient, DescribeStacksCommand } from '@aws-sdk/client-cloudformation'
import { HeadObjectCommand, NotFound, S3Client } from '@aws-sdk/client-s3'
import { ListServiceQuotasCommand, ServiceQuotasClient } from '@aws-sdk/client-service-quotas'
import { GetCallerIdentityCommand, STSClient } from '@aws-sdk/client-sts'
import { modelManifest } from '../artifacts/base-model.ts'
import type { Profile } from '../profile.ts'
import { awsSettings } from '../profile.ts'
import { LOOK_MS, type Look, Skipped } from './finding.ts'

/** What a deployment needs of the AWS account: who asks, the CDK's bootstrap, quotas, and the base model. */

type Settings = (ReturnType<typeof awsSettings> | { region?: string }) & {
  maxAttempts: number
  requestHandler: Record<string, unknown>
}
type ModelProfile = {
  localOnly: boolean
  training: { instanceType: string; instanceCount: number; spot: boolean }
  serving: { instanceType: string; maxCopies: number }
}

/** What hangs must not outlive its look. */
const GIVE_UP = { connectionTimeout: LOOK_MS, requestTimeout: LOOK_MS, throwOnRequestTimeout: true }

const BOOTSTRAP = 'CDKToolkit'
/** Of the bootstrap template: the one from which the CDK may publish assets with this app's synthesizer. */
const BOOTSTRAP_VERSION = 6

/** `profile` is null before the first deploy; then the usual places say which account and region. */
export function accountLooks(
  profile: Profile | null,
  modelProfiles: readonly string[],
  repository: string,
): Look[] {
  const own = profile?.aws === undefined ? {} : awsSettings(profile)
  const isLocal = 'endpoint' in own
  const settings: Settings = { ...own, maxAttempts: 1, requestHandler: { ...GIVE_UP } }
  return [
    {
      name: 'credentials',
      look: async () => {
        const { Account, Arn } = await new STSClient(settings).send(new GetCallerIdentityCommand({}))
        return `account ${Account}, as ${Arn}`
      },
      fix: 'log in (aws sso login, or AWS_PROFILE) and set a region (AWS_REGION)',
    },
    {
      name: 'bootstrap',
      look: () => withCredentials(() => bootstrap(new CloudFormationClient(settings))),
      fix: 'npx cdk bootstrap aws://ACCOUNT/REGION',
    },
    ...modelProfiles.map(name => ({
      name: `quotas of ${name}`,
      look: async () => {
        if (isLocal) throw new Skipped('the local SageMaker has no quotas')
        const modelProfile = modelProfileOf(name, repository)
        return withCredentials(() => quotas(new ServiceQuotasClient(settings), modelProfile))
      },
      fix: 'ask for more: AWS console, Service Quotas, Amazon SageMaker (it may take days; a start without quota waits and spends no warrant)',
    })),
    {
      name: 'base model',
      look: () => baseModel(profile, settings, repository),
      fix: 'bring it into the artifact bucket: openledger model import FOLDER',
    },
  ]
}

/** Without credentials or a region nothing can be said about the account; the look at them says how to get some. */
async function withCredentials(look: () => Promise<string>): Promise<string> {
  try {
    return await look()
  } catch (error) {
    const { name = '', message = '' } = error as Error
    if (name === 'CredentialsProviderError' || message === 'Region is missing')
      throw new Skipped('cannot be seen without credentials')
    throw error
  }
}

async function bootstrap(client: CloudFormationClient): Promise<string> {
  const { Stacks = [] } = await client.send(new DescribeStacksCommand({ StackName: BOOTSTRAP }))
  const version = Stacks[0]?.Outputs?.find(output => output.OutputKey === 'BootstrapVersion')?.OutputValue
  if (Number(version ?? 0) < BOOTSTRAP_VERSION)
    throw new Error(`version ${version ?? 'unknown'} of ${BOOTSTRAP}`)
  return `${BOOTSTRAP}, version ${version}`
}

function modelProfileOf(name: string, repository: string): ModelProfile {
  const file = join(repository, 'config/model-profiles', `${name}.json`)
  if (!existsSync(file)) throw new Error(`there is no model profile ${name}: ${file}`)
  const profile = JSON.parse(readFileSync(file, 'utf8')) as ModelProfile
  if (profile.localOnly) throw new Skipped('this profile runs on one machine only')
  return profile
}

/** @throws Error naming the quotas that are below what one run and one released model need */
async function quotas(client: ServiceQuotasClient, profile: ModelProfile): Promise<string> {
  const { training, serving } = profile
  const needs = new Map([
    [
      `${training.instanceType} for ${training.spot ? 'spot training' : 'training'} job usage`,
      training.instanceCount,
    ],
    [`${serving.instanceType} for endpoint usage`, serving.maxCopies],
  ])
  const seen = new Map<string, number>()
  let NextToken: string | undefined
  do {
    const page = await client.send(
      new ListServiceQuotasCommand({ ServiceCode: 'sagemaker', MaxResults: 100, NextToken }),
    )
    for (const { QuotaName = '', Value = 0 } of page.Quotas ?? []) {
      if (needs.has(QuotaName)) seen.set(QuotaName, Value)
    }
    NextToken = page.NextToken
  } while (NextToken !== undefined)
  const told = [...needs].map(([name, needed]) => ({ name, needed, has: seen.get(name) ?? 0 }))
  const lacking = told.filter(({ needed, has }) => has < needed)
  if (lacking.length > 0)
    throw new Error(lacking.map(({ name, needed, has }) => `${name}: ${has}, needed ${needed}`).join('; '))
  return told.map(({ name, has }) => `${name}: ${has}`).join('; ')
}

/** The digest of the folder's files, and whether the bucket has them under it. */
async function baseModel(profile: Profile | null, settings: Settings, repository: string): Promise<string> {
  if (profile?.aws === undefined)
    throw new Skipped('the profile has no "aws": only an operator brings models')
  const folder = profile.modelFolder ?? join(repository, '.local/base-models/smollm2-135m')
  if (!existsSync(folder)) throw new Error(`no folder ${folder}`)
  const { digest } = await modelManifest(folder)
  try {
    await new S3Client(settings).send(
      new HeadObjectCommand({
        Bucket: profile.aws.artifactsBucket,
        Key: `base-models/${digest}/manifest.json`,
      }),
    )
  } catch (error) {
    if (error instanceof NotFound) throw new Error(`${digest} is not in ${profile.aws.artifactsBucket}`)
    throw error
  }
  return `${digest} is in ${profile.aws.artifactsBucket}`
}
