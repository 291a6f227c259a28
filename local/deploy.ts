/**
 * Deploys the unchanged app to the emulator with the unchanged CDK command line. Nothing is deployed again while
 * templates, code and settings are what they were.
 */
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { CloudFormationClient, DescribeStacksCommand, type Stack } from '@aws-sdk/client-cloudformation'
import { spawnGroup } from './processes.ts'

const REPOSITORY = resolve(import.meta.dirname, '..')
const NODE = join(REPOSITORY, 'node_modules/.bin/node')
const CDK = join(REPOSITORY, 'node_modules/aws-cdk/bin/cdk')
const REGION = 'us-east-1'
/** MiniStack's own account. */
const ACCOUNT = '000000000000'
const BOOTSTRAP_STACK = 'CDKToolkit'
/** Independent stacks side by side; more waits only for each other on two cores. */
const CONCURRENCY = 4
const LOG_TAIL_LINES = 30
const GOOD_STATES = ['CREATE_COMPLETE', 'UPDATE_COMPLETE']

export type DeployOptions = {
  emulatorUrl: string
  /** Holds `<stage>.json`. */
  configDir: string
  stage: string
  /** The synthesized app and the digest of what is deployed; goes with the emulator's state. */
  outDir: string
  logDir: string
  runDir: string
  /** Ends the command line that runs, and the deploy with it. */
  signal?: AbortSignal
  /** Called with one sentence at each step. */
  onProgress?: (step: string) => void
}

export type Deployment = {
  /** Outputs of all stacks by name: `ApiId`, `GovernanceTableName`, `ReceiptKeyId`, ... */
  outputs: Readonly<Record<string, string>>
  apiId: string
  apiStageName: string
  /** The emulator's own address of the interface, without a slash at the end. */
  apiUrl: string
  /** False when everything was there already. */
  deployed: boolean
  seconds: { synth: number; bootstrap: number; deploy: number }
}

/** Throws with the end of the command line's log when it fails. */
export async function deployApp(options: DeployOptions): Promise<Deployment> {
  const { emulatorUrl, outDir, onProgress = () => {} } = options
  mkdirSync(outDir, { recursive: true })
  const cloudFormation = new CloudFormationClient({
    endpoint: emulatorUrl,
    region: REGION,
    credentials: { accessKeyId: 'local', secretAccessKey: 'local' },
  })
  const seconds = { synth: 0, bootstrap: 0, deploy: 0 }
  const assembly = join(outDir, 'cdk.out')

  const before = await describeStacks(cloudFormation)
  onProgress('Putting the app together')
  await Promise.all([
    timed(() => synth(options, assembly)).then(duration => {
      seconds.synth = duration
    }),
    isGood(before.get(BOOTSTRAP_STACK))
      ? undefined
      : timed(() => bootstrap(options)).then(duration => {
          seconds.bootstrap = duration
        }),
  ])
  const digest = digestOf(assembly)
  const stacks = stackNames(assembly)
  const current = deployedDigest(outDir) === digest && stacks.every(name => isGood(before.get(name)))
  if (!current) {
    onProgress(`Deploying ${stacks.length} stacks`)
    seconds.deploy = await timed(() => deploy(options, assembly))
    writeFileSync(join(outDir, 'deployed.json'), JSON.stringify({ digest }))
  }

  const outputs = outputsOf(stacks, await describeStacks(cloudFormation))
  const apiId = required(outputs, 'ApiId')
  const apiStageName = required(outputs, 'ApiStageName')
  return {
    outputs,
    apiId,
    apiStageName,
    apiUrl: `${emulatorUrl}/restapis/${apiId}/${apiStageName}/_user_request_`,
    deployed: !current,
    seconds,
  }
}

function synth(options: DeployOptions, assembly: string) {
  const context = ['--context', `stage=${options.stage}`, '--context', `config=${resolve(options.configDir)}`]
  return runCdk(options, ['synth', '--quiet', '--output', assembly, ...context])
}

function deploy(options: DeployOptions, assembly: string) {
  const settings = [
    '--require-approval',
    'never',
    '--concurrency',
    String(CONCURRENCY),
    '--asset-parallelism',
    '--progress',
    'events',
  ]
  return runCdk(options, ['deploy', '--app', assembly, '--all', '--method', 'direct', ...settings])
}

/** In a folder of its own: where a cdk.json is, the command line would first run the app. */
async function bootstrap(options: DeployOptions) {
  const empty = mkdtempSync(join(tmpdir(), 'openledger-bootstrap-'))
  try {
    await runCdk(options, ['bootstrap', `aws://${ACCOUNT}/${REGION}`], empty)
  } finally {
    rmSync(empty, { recursive: true, force: true })
  }
}

async function runCdk(options: DeployOptions, args: string[], cwd = REPOSITORY) {
  options.signal?.throwIfAborted()
  const logFile = join(options.logDir, `cdk-${args[0]}.log`)
  const command = spawnGroup({
    name: `cdk-${args[0]}`,
    command: NODE,
    args: [CDK, ...args, '--no-notices'],
    cwd,
    env: {
      AWS_ENDPOINT_URL: options.emulatorUrl,
      AWS_ACCESS_KEY_ID: 'local',
      AWS_SECRET_ACCESS_KEY: 'local',
      AWS_REGION: REGION,
      AWS_PROFILE: undefined,
      AWS_SESSION_TOKEN: undefined,
      CDK_HOME: join(options.outDir, 'cdk-home'),
      // Each would wait for hosts that a laptop without a network does not reach.
      CDK_DISABLE_CLI_TELEMETRY: '1',
      CDK_DISABLE_VERSION_CHECK: '1',
      // Seconds of the CDK's own template rules, which \`npm run check\` applies to every stage.
      CDK_VALIDATION: 'false',
      CI: '1',
    },
    logFile,
    runDir: options.runDir,
  })
  const stop = () => void command.stop()
  options.signal?.addEventListener('abort', stop)
  const { code, signal } = await command.exited
  options.signal?.removeEventListener('abort', stop)
  options.signal?.throwIfAborted()
  if (code === 0) return
  const tail = readFileSync(logFile, 'utf8').trimEnd().split('\n').slice(-LOG_TAIL_LINES).join('\n')
  throw new Error(`cdk ${args[0]} ended with ${code ?? signal}; the whole log is in ${logFile}:\n${tail}`)
}

/** Whether a deploy from `outDir` ever came to its end. What a first one left half done is of no use to anybody. */
export function wasDeployed(outDir: string): boolean {
  return existsSync(join(outDir, 'deployed.json'))
}

/** Templates and asset manifests: an asset's name is the digest of its content. */
function digestOf(assembly: string): string {
  const hash = createHash('sha256')
  for (const name of readdirSync(assembly).sort()) {
    if (name.endsWith('.template.json') || name.endsWith('.assets.json')) {
      hash
        .update(name)
        .update('\0')
        .update(readFileSync(join(assembly, name)))
        .update('\0')
    }
  }
  return hash.digest('hex')
}

function deployedDigest(outDir: string): string | undefined {
  try {
    return (JSON.parse(readFileSync(join(outDir, 'deployed.json'), 'utf8')) as { digest?: string }).digest
  } catch {
    return undefined // never deployed, or killed while writing: deploy again
  }
}

function stackNames(assembly: string): string[] {
  return readdirSync(assembly)
    .filter(name => name.endsWith('.template.json'))
    .map(name => name.slice(0, -'.template.json'.length))
    .sort()
}

async function describeStacks(client: CloudFormationClient): Promise<Map<string, Stack>> {
  const { Stacks = [] } = await client.send(new DescribeStacksCommand({}))
  return new Map(Stacks.map(stack => [stack.StackName ?? '', stack]))
}

const isGood = (stack: Stack | undefined) => GOOD_STATES.includes(stack?.StackStatus ?? '')

function outputsOf(names: string[], stacks: Map<string, Stack>): Record<string, string> {
  const entries = names.flatMap(name => stacks.get(name)?.Outputs ?? [])
  return Object.fromEntries(
    entries
      .filter(output => !output.OutputKey?.startsWith('ExportsOutput'))
      .map(output => [output.OutputKey ?? '', output.OutputValue ?? '']),
  )
}

function required(outputs: Record<string, string>, name: string): string {
  const value = outputs[name]
  if (value !== undefined && value !== '') return value
  throw new Error(`The deployed stacks have no output ${name}; there are ${Object.keys(outputs).join(', ')}`)
}

async function timed(work: () => Promise<void>): Promise<number> {
  const start = performance.now()
  await work()
  return Math.round(performance.now() - start) / 1_000
}
