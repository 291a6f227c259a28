import { createHash, randomBytes } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { createClient } from '../api/client.ts'
import { startChain } from './chain/chain.ts'
import { deployContracts, initializeSettler } from './chain/deploy-contracts.ts'
import { type Deployment, deployApp, wasDeployed } from './deploy.ts'
import { startEdge } from './edge/edge.ts'
import { streamedEnvironments } from './edge/streamed-environments.ts'
import { startEmulator } from './emulator/emulator.ts'
import { claimPorts } from './ports.ts'
import { endLeftovers } from './processes.ts'
import { startSageMaker } from './sagemaker/sagemaker.ts'

/**
 * Everything that stands for AWS and the chain on one machine, started in the order of who needs whom, and the
 * CDK app deployed on it. State lies in `<home>/state` and survives a stop; processes are recorded in
 * `<home>/run`, so that the start after a kill -9 ends what was left.
 */

const REPOSITORY = resolve(import.meta.dirname, '..')
const STAGE = 'local'
/** Not a chain that anybody else uses: a wallet that signs here signs for nowhere else. */
const CHAIN_ID = 31_338

export type StackOptions = {
  /** @default `.local` of the repository */
  readonly home?: string
  /** Where Python environments and the base model lie. @default `.local` of the repository */
  readonly tools?: string
  /** Forget the state of last time. @default false */
  readonly fresh?: boolean
  readonly governors: { readonly addresses: readonly string[]; readonly threshold: number }
  /** Model profiles that the stage allows, in a folder laid over `config/`. @default ['cpu-135m'] */
  readonly modelProfiles?: readonly string[]
  /** Ends the start, also while it deploys; what had started is stopped. */
  readonly signal?: AbortSignal
  readonly onProgress?: (step: string) => void
}

export type Stack = {
  /** Where everything is reached: interface and pages. */
  readonly url: string
  readonly emulatorUrl: string
  readonly sagemakerUrl: string
  readonly rpcUrl: string
  readonly chainId: number
  readonly contracts: Contracts
  readonly deployment: Deployment
  readonly home: string
  stop(): Promise<void>
}
export type Contracts = { readonly openToken: string; readonly gOpen: string; readonly rewardClaims: string }

/** @throws Error with what did not start and where its log is; whatever had started is stopped before */
export async function startStack(options: StackOptions): Promise<Stack> {
  const home = resolve(options.home ?? join(REPOSITORY, '.local'))
  const tools = resolve(options.tools ?? join(REPOSITORY, '.local'))
  const { onProgress = () => undefined } = options
  const state = join(home, 'state')
  const folders = { logDir: join(home, 'logs'), runDir: join(home, 'run') }

  const { inUse } = await endLeftovers(folders.runDir)
  if (inUse.length > 0)
    throw new Error(`Another start from this folder is running (${inUse.join(', ')}); end it first.`)
  if (options.fresh === true) rmSync(state, { recursive: true, force: true })
  mkdirSync(state, { recursive: true })
  // A first deploy that was killed leaves stacks that can be neither used nor updated.
  if (!wasDeployed(join(state, 'app'))) rmSync(join(state, 'emulator'), { recursive: true, force: true })

  const running: { stop(): Promise<void> }[] = []
  const stop = async () => {
    for (const service of running.splice(0).reverse()) await service.stop()
  }
  try {
    const { ports } = await claimPorts(['chain', 'emulator', 'sagemaker', 'edge'], join(state, 'ports.json'))
    onProgress('Starting the chain')
    const chain = await startChain({
      port: ports.chain,
      stateDir: join(state, 'chain'),
      ...folders,
      chainId: CHAIN_ID,
    })
    running.push(chain)
    const contracts = await onceKept(join(state, 'contracts.json'), () =>
      deployContracts({ rpcUrl: chain.url, governors: options.governors }),
    )

    options.signal?.throwIfAborted()
    onProgress('Starting the local AWS')
    const emulatorUrl = `http://127.0.0.1:${ports.emulator}`
    const sagemaker = await startSageMaker({
      port: ports.sagemaker,
      stateDir: join(state, 'sagemaker'),
      ...folders,
      trainingVenv: join(tools, 'tools/training-venv'),
      s3Endpoint: emulatorUrl,
    })
    running.push(sagemaker)
    const emulator = await startEmulator({
      port: ports.emulator,
      stateDir: join(state, 'emulator'),
      ...folders,
      venvDir: join(tools, 'tools/emulator-venv'),
      sagemakerUrl: sagemaker.url,
      persist: true,
    })
    running.push(emulator)

    const configDir = join(state, 'config')
    await writeConfig(configDir, options, { contracts, rpcUrl: chain.url })
    const deployment = await deployApp({
      emulatorUrl: emulator.url,
      configDir,
      stage: STAGE,
      outDir: join(state, 'app'),
      ...folders,
      onProgress,
      ...(options.signal === undefined ? {} : { signal: options.signal }),
    })
    options.signal?.throwIfAborted()
    const edge = await startEdge({
      port: ports.edge,
      emulatorUrl: emulator.url,
      apiId: deployment.apiId,
      stageName: deployment.apiStageName,
      environmentOfStreamedFunctions: await streamedEnvironments({
        emulatorUrl: emulator.url,
        sagemakerUrl: sagemaker.url,
      }),
      pagesDir: join(REPOSITORY, 'console/life'),
      logFile: join(folders.logDir, 'edge.log'),
    })
    running.push(edge)
    await firstSteps(edge.url, { rpcUrl: chain.url, ...contracts })
    return {
      url: edge.url,
      emulatorUrl: emulator.url,
      sagemakerUrl: sagemaker.url,
      rpcUrl: chain.url,
      chainId: CHAIN_ID,
      contracts,
      deployment,
      home,
      stop,
    }
  } catch (error) {
    await stop()
    throw error
  }
}

/** What `openledger genesis` does after a first deploy: leaf 0 of the log, and who publishes payouts. */
async function firstSteps(url: string, chain: Contracts & { rpcUrl: string }): Promise<void> {
  const client = createClient({ baseUrl: url })
  await client.call('logGenesis')
  const { signers } = await client.call('getGenesis')
  await initializeSettler(chain, signers.payout)
}

/** The stage's settings: facts of this chain, and one deployment id for as long as the state lives. */
async function writeConfig(
  configDir: string,
  options: StackOptions,
  chain: { contracts: Contracts; rpcUrl: string },
): Promise<void> {
  const { deploymentId } = await onceKept(join(configDir, '..', 'deployment.json'), async () => ({
    deploymentId: `0x${randomBytes(32).toString('hex')}`,
  }))
  const profiles = options.modelProfiles ?? ['cpu-135m']
  const config = {
    stage: STAGE,
    local: true,
    rehearsal: true,
    retain: false,
    genesis: {
      deploymentId,
      chainId: CHAIN_ID,
      ...chain.contracts,
      rpcUrls: [chain.rpcUrl],
      governors: options.governors,
      rules: 'rehearsal',
    },
    modelProfiles: profiles,
    modelPrices: Object.fromEntries(
      profiles.map(name => [
        name,
        { promptPerMillionWei: '1000000000000000000', completionPerMillionWei: '4000000000000000000' },
      ]),
    ),
    logRetentionDays: 7,
    throttle: { requestsPerSecond: 1_000, burst: 2_000 },
  }
  writeWhole(join(configDir, `${STAGE}.json`), config)
}

/** What a first start makes and every later one finds. */
async function onceKept<T>(file: string, make: () => Promise<T>): Promise<T> {
  if (existsSync(file)) return JSON.parse(readFileSync(file, 'utf8')) as T
  const made = await make()
  writeWhole(file, made)
  return made
}

/** Written aside and renamed, so that a kill leaves the old file or the new one. */
function writeWhole(file: string, value: unknown) {
  mkdirSync(resolve(file, '..'), { recursive: true })
  const aside = `${file}.${createHash('sha256').update(file).digest('hex').slice(0, 8)}`
  writeFileSync(aside, `${JSON.stringify(value, null, 2)}\n`)
  renameSync(aside, file)
}
