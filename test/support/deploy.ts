import { readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { CreateFunctionCommand, GetFunctionCommand, LambdaClient } from '@aws-sdk/client-lambda'
import { CreateStateMachineCommand, SFNClient } from '@aws-sdk/client-sfn'
import { buildSync } from 'esbuild'
import { zip } from '../local/emulator-zip.ts'

/** Functions and machines on the test's emulator, with all of the stage's variables. `startTestAws()` comes first. */

const REPOSITORY = resolve(import.meta.dirname, '../..')
const ROLE = 'arn:aws:iam::000000000000:role/test'
const READY_TRIES = 100
const STAGE_VARIABLE =
  /^(STAGE|GENESIS|RULES|LOG_ORIGIN|MODEL_PROFILES|EVENT_BUS|.*_(TABLE|BUCKET|KEY_ID|MACHINE_ARN))$/

/** Bundles and makes `functions/<entry>.ts`; answers its ARN by entry. */
export async function deployFunctions(entries: readonly string[]): Promise<Record<string, string>> {
  const { outputFiles } = buildSync({
    entryPoints: entries.map(entry => join(REPOSITORY, 'functions', `${entry}.ts`)),
    outbase: join(REPOSITORY, 'functions'),
    outdir: '/code',
    write: false,
    bundle: true,
    minify: true,
    keepNames: true,
    platform: 'node',
    target: 'node24',
    format: 'esm',
    outExtension: { '.js': '.mjs' },
    mainFields: ['module', 'main'],
    banner: {
      js: "import{createRequire as makeRequire}from'node:module';const require=makeRequire(import.meta.url)",
    },
    logLevel: 'warning',
  })
  const lambda = new LambdaClient({})
  const environment = Object.entries(process.env).filter(([name]) => STAGE_VARIABLE.test(name))
  const arns: Record<string, string> = {}
  for (const [at, entry] of entries.entries()) {
    const FunctionName = `test-${entry.replace('/', '-')}`
    const { FunctionArn } = await lambda.send(
      new CreateFunctionCommand({
        FunctionName,
        Runtime: 'nodejs24.x',
        Role: ROLE,
        Handler: 'index.handler',
        Timeout: 120,
        Code: { ZipFile: zip({ 'index.mjs': outputFiles[at]!.text }) },
        Environment: { Variables: Object.fromEntries(environment) as Record<string, string> },
      }),
    )
    await ready(lambda, FunctionName)
    arns[entry] = FunctionArn!
  }
  return arns
}

async function ready(lambda: LambdaClient, FunctionName: string) {
  for (let tries = 0; tries < READY_TRIES; tries++) {
    const { Configuration } = await lambda.send(new GetFunctionCommand({ FunctionName }))
    if (Configuration?.State === undefined || Configuration.State === 'Active') return
    await new Promise(resolve => setTimeout(resolve, 50))
  }
  throw new Error(`${FunctionName} is not ready`)
}

/** Makes `state-machines/<name>.asl.json` with `${VerbArn}` from these functions, as infra does. */
export async function deployMachine(
  name: string,
  functions: Readonly<Record<string, string>>,
): Promise<string> {
  const byVerb = Object.fromEntries(
    Object.entries(functions).map(([entry, arn]) => [pascal(entry.slice(entry.indexOf('/') + 1)), arn]),
  )
  const text = readFileSync(join(REPOSITORY, 'state-machines', `${name}.asl.json`), 'utf8')
  const definition = text.replace(/\$\{([A-Za-z]+)Arn\}/g, (_, verb: string) => {
    const arn = byVerb[verb]
    if (arn === undefined) throw new Error(`${name} names ${verb}, which was not deployed`)
    return arn
  })
  const { stateMachineArn } = await new SFNClient({}).send(
    new CreateStateMachineCommand({ name: `test-${name}`, definition, roleArn: ROLE }),
  )
  return stateMachineArn!
}

const pascal = (kebab: string) =>
  kebab.replace(/(^|-)([a-z0-9])/g, (_, __, letter: string) => letter.toUpperCase())
