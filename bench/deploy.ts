import { spawnSync } from 'node:child_process'
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Deployment, deployApp } from '../local/deploy.ts'
import { startEmulator } from '../local/emulator/emulator.ts'
import { freePort } from '../local/ports.ts'
import { type Row, secondsOf, spreadOf } from './measure.ts'
import { REPOSITORY } from './stage.ts'

/**
 * Seconds until the whole app stands on a fresh emulator, and until an unchanged one is found to stand, beside the
 * app alone writing its templates (`node bin/app.ts`), which no deploy can do without.
 */

const REPEATS = 2

export async function benchDeploy(folder: string, note: (line: string) => void): Promise<Row[]> {
  const configDir = join(folder, 'config')
  mkdirSync(configDir, { recursive: true })
  writeFileSync(join(configDir, 'local.json'), JSON.stringify(SETTINGS))
  const names = ['first', 'again', 'app', 'appAgain', 'synth', 'bootstrap', 'deploy'] as const
  const seconds = Object.fromEntries(names.map(name => [name, []])) as unknown as Record<
    (typeof names)[number],
    number[]
  >
  let resources = 0
  for (let repeat = 1; repeat <= REPEATS; repeat++) {
    const home = join(folder, `deploy-${repeat}`)
    const emulator = await startEmulator({
      port: await freePort(),
      stateDir: join(home, 'state'),
      logDir: join(home, 'logs'),
      runDir: join(home, 'run'),
      venvDir: join(REPOSITORY, '.local/tools/emulator-venv'),
      sagemakerUrl: 'http://127.0.0.1:9', // nothing of a deploy asks it
      persist: false,
    })
    try {
      const deploy = () =>
        deployApp({
          emulatorUrl: emulator.url,
          configDir,
          stage: 'local',
          outDir: join(home, 'out'),
          logDir: join(home, 'logs'),
          runDir: join(home, 'run'),
        })
      const app = () => writeTemplates(configDir, join(home, 'app'))
      seconds.app.push(await secondsOf(app))
      let deployment!: Deployment
      seconds.first.push(
        await secondsOf(async () => {
          deployment = await deploy()
        }),
      )
      seconds.synth.push(deployment.seconds.synth)
      seconds.bootstrap.push(deployment.seconds.bootstrap)
      seconds.deploy.push(deployment.seconds.deploy)
      seconds.appAgain.push(await secondsOf(app))
      seconds.again.push(await secondsOf(deploy))
      resources = countResources(join(home, 'out/cdk.out'))
    } finally {
      await emulator.stop()
    }
  }
  note(`${resources} resources; synth and bootstrap run side by side, then the deploy`)
  const app = { what: 'the app alone (`node bin/app.ts`)', figure: spreadOf(seconds.app) }
  // Bundles that are there are not made again.
  const appAgain = { what: 'the app alone, again', figure: spreadOf(seconds.appAgain) }
  const row = (what: string, samples: number[], beside: Row['comparison']): Row => ({
    what,
    unit: 's',
    figure: spreadOf(samples),
    comparison: beside,
  })
  return [
    row('first deploy of all stacks', seconds.first, app),
    row('— of it: cdk synth', seconds.synth, app),
    row('— of it: cdk bootstrap', seconds.bootstrap, null),
    row('— of it: cdk deploy', seconds.deploy, null),
    row('deploy again, nothing changed', seconds.again, appAgain),
  ]
}

/** What `cdk synth` runs, as it runs it, without the command line around it. */
function writeTemplates(configDir: string, outDir: string) {
  const { context } = JSON.parse(readFileSync(join(REPOSITORY, 'cdk.json'), 'utf8')) as { context: object }
  const { status, stderr } = spawnSync(process.execPath, ['bin/app.ts'], {
    cwd: REPOSITORY,
    encoding: 'utf8',
    env: {
      ...process.env,
      CDK_OUTDIR: outDir,
      CDK_DEFAULT_ACCOUNT: '000000000000',
      CDK_DEFAULT_REGION: 'us-east-1',
      CDK_CONTEXT_JSON: JSON.stringify({ ...context, stage: 'local', config: configDir }),
      CDK_VALIDATION: 'false',
    },
  })
  if (status !== 0) throw new Error(`bin/app.ts failed: ${stderr.slice(-2_000)}`)
}

function countResources(assembly: string): number {
  return readdirSync(assembly)
    .filter(name => name.endsWith('.template.json'))
    .map(name => JSON.parse(readFileSync(join(assembly, name), 'utf8')) as { Resources: object })
    .reduce((sum, { Resources }) => sum + Object.keys(Resources).length, 0)
}

const SETTINGS = {
  local: true,
  rehearsal: true,
  retain: false,
  genesis: {
    deploymentId: `0x${'1'.repeat(64)}`,
    chainId: 31_337,
    gOpen: `0x${'2'.repeat(40)}`,
    openToken: `0x${'3'.repeat(40)}`,
    rewardClaims: `0x${'4'.repeat(40)}`,
    rpcUrls: ['http://127.0.0.1:9'],
    governors: { addresses: [`0x${'5'.repeat(40)}`], threshold: 1 },
    rules: 'rehearsal',
  },
  modelProfiles: ['cpu-135m'],
  modelPrices: { 'cpu-135m': { promptPerMillionWei: '1', completionPerMillionWei: '1' } },
  logRetentionDays: 7,
  throttle: { requestsPerSecond: 1_000, burst: 2_000 },
}
