import { spawn } from 'node:child_process'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join, resolve } from 'node:path'
import validate from 'asl-validator'

/**
 * Synthesizes every stage of config/ with the CDK's template validator and cdk-nag as `cdk deploy` would, and
 * checks every state machine of the templates. Functions are not bundled: their code is checked by others.
 */

const ROOT = resolve(import.meta.dirname, '..')
const stages = readdirSync(join(ROOT, 'config'))
  .filter(file => file.endsWith('.json'))
  .map(file => basename(file, '.json'))

let failed = 0
await Promise.all(stages.map(checkStage))
process.exitCode = failed === 0 && stages.length > 0 ? 0 : 1

async function checkStage(stage: string) {
  const out = mkdtempSync(join(tmpdir(), 'openledger-synth-'))
  try {
    const { code, output } = await synth(stage, out)
    const machines = code === 0 ? machinesIn(out) : []
    const wrong = machines.flatMap(({ id, definition }) => {
      const { isValid, errors } = validate(definition, { checkArn: false })
      return isValid ? [] : errors.map(error => `${id}: ${error.Message}`)
    })
    console.log(
      `${stage}: exit ${code}, ${machines.length} state machines${wrong.length > 0 ? `, ${wrong.length} wrong` : ''}`,
    )
    for (const line of wrong) console.log(line)
    if (code !== 0) console.log(output.slice(-6_000))
    if (code !== 0 || wrong.length > 0 || machines.length === 0) failed += 1
  } finally {
    rmSync(out, { recursive: true, force: true })
  }
}

function synth(stage: string, out: string): Promise<{ code: number | null; output: string }> {
  // What the CDK's command line would hand over: the feature flags of cdk.json and the stage.
  const { context: flags } = JSON.parse(readFileSync(join(ROOT, 'cdk.json'), 'utf8')) as { context: object }
  const context = {
    ...flags,
    stage,
    config: initialized(stage, join(out, 'config')),
    'aws:cdk:bundling-stacks': [],
  }
  const child = spawn(process.execPath, ['bin/app.ts'], {
    cwd: ROOT,
    env: {
      ...process.env,
      CDK_OUTDIR: out,
      CDK_CONTEXT_JSON: JSON.stringify(context),
      // Stages without an account of their own take it from the credentials of whoever deploys.
      CDK_DEFAULT_ACCOUNT: '111111111111',
      CDK_DEFAULT_REGION: 'eu-central-1',
    },
  })
  let output = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (chunk: Buffer) => {
      output += chunk.toString()
    })
  }
  return new Promise(done => child.on('exit', code => done({ code, output })))
}

/** The stage's settings with facts of a chain, as `openledger init` fills them in: without them nothing synthesizes. */
function initialized(stage: string, folder: string): string {
  const settings = JSON.parse(readFileSync(join(ROOT, 'config', `${stage}.json`), 'utf8')) as {
    genesis: unknown
  }
  const address = (digit: string) => `0x${digit.repeat(40)}`
  const genesis = {
    deploymentId: `0x${'1'.repeat(64)}`,
    chainId: 1,
    gOpen: address('2'),
    openToken: address('3'),
    rewardClaims: address('4'),
    rpcUrls: ['https://one.example.org', 'https://two.example.com'],
    governors: { addresses: [address('5'), address('6'), address('7')], threshold: 2 },
    rules: 'openledger-contracts',
  }
  mkdirSync(folder, { recursive: true })
  writeFileSync(
    join(folder, `${stage}.json`),
    JSON.stringify({ ...settings, genesis: settings.genesis ?? genesis }),
  )
  return folder
}

type Template = { Resources?: Record<string, { Type: string; Properties?: { DefinitionString?: string } }> }

function machinesIn(out: string) {
  return readdirSync(out)
    .filter(file => file.endsWith('.template.json'))
    .flatMap(file => {
      const { Resources = {} } = JSON.parse(readFileSync(join(out, file), 'utf8')) as Template
      return Object.entries(Resources)
        .filter(([, { Type }]) => Type === 'AWS::StepFunctions::StateMachine')
        .map(([id, { Properties }]) => ({
          id,
          definition: JSON.parse(Properties?.DefinitionString ?? '{}') as object,
        }))
    })
}
