import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { App, type Stack } from 'aws-cdk-lib'
import { Template } from 'aws-cdk-lib/assertions'
import { openLedger } from '../../infra/app.ts'

const REPOSITORY = resolve(import.meta.dirname, '../..')
/** The CDK's own template rules take seconds; the tests that are about them turn them on. */
process.env.CDK_VALIDATION = 'false'

const scratch = mkdtempSync(join(tmpdir(), 'openledger-infra-'))
afterAll(() => rmSync(scratch, { recursive: true, force: true }))

export const ACCOUNT = '111122223333'
export const REGION = 'eu-central-1'

export const genesisFacts = {
  deploymentId: `0x${'1a'.repeat(32)}`,
  chainId: 11_155_111,
  gOpen: `0x${'2b'.repeat(20)}`,
  openToken: `0x${'3c'.repeat(20)}`,
  rewardClaims: `0x${'4d'.repeat(20)}`,
  rpcUrls: ['https://rpc.example.org/key', 'https://other.example.com'],
  governors: { addresses: [`0x${'5e'.repeat(20)}`, `0x${'6f'.repeat(20)}`], threshold: 2 },
  rules: 'openledger-docs',
}

/** A copy of `config/` where the stages are initialized; `changes` are laid over the named stage. */
export function aConfigFolder(stage = 'dev', changes: Record<string, unknown> = {}): string {
  const folder = mkdtempSync(join(scratch, 'config-'))
  cpSync(join(REPOSITORY, 'config'), folder, { recursive: true })
  const path = join(folder, `${stage}.json`)
  const settings = JSON.parse(readFileSync(path, 'utf8')) as Record<string, unknown>
  writeFileSync(path, JSON.stringify({ ...settings, genesis: genesisFacts, ...changes }))
  return folder
}

/** The app without bundling. */
export function anApp(stage = 'dev', changes: Record<string, unknown> = {}): App {
  const { context } = JSON.parse(readFileSync(join(REPOSITORY, 'cdk.json'), 'utf8')) as {
    context: Record<string, unknown>
  }
  const app = new App({
    outdir: mkdtempSync(join(scratch, 'assembly-')),
    context: {
      ...context,
      stage,
      config: aConfigFolder(stage, { account: ACCOUNT, region: REGION, ...changes }),
      'aws:cdk:bundling-stacks': [],
    },
  })
  return openLedger(app)
}

export type Resource = { Type: string; Properties: Record<string, unknown>; DependsOn?: string[] } & Record<
  string,
  unknown
>
export type Templates = Readonly<Record<string, Template>>

/** Templates by stack: `foundation`, `pipelines`, `api`, ... */
export function templatesOf(app: App): Templates {
  const stacks = app.node.children.filter((child): child is Stack => 'stackName' in child)
  return Object.fromEntries(stacks.map(stack => [stack.node.id.split('-')[1], Template.fromStack(stack)]))
}

/** Synthesized once for all statements about one stage. */
const known = new Map<string, Templates>()
export function stage(name: 'dev' | 'prod'): Templates {
  const found = known.get(name) ?? templatesOf(anApp(name))
  known.set(name, found)
  return found
}

export function template(of: Templates, stack: string): Template {
  const found = of[stack]
  if (found) return found
  throw new Error(`There is no stack ${stack}; there are ${Object.keys(of).join(', ')}`)
}

export function resources(of: Template, type: string): Array<[string, Resource]> {
  return Object.entries(of.findResources(type)) as Array<[string, Resource]>
}

export type Statement = {
  Effect: string
  Action: string | string[]
  Resource: unknown
  Condition?: unknown
  Principal?: unknown
}

/** All statements of all identity policies, with the roles that they are attached to. */
export function identityStatements(of: Template): Array<{ roles: string[]; statement: Statement }> {
  return resources(of, 'AWS::IAM::Policy').flatMap(([, policy]) => {
    const { PolicyDocument, Roles } = policy.Properties as {
      PolicyDocument: { Statement: Statement[] }
      Roles: Array<{ Ref: string }>
    }
    return PolicyDocument.Statement.map(statement => ({ roles: Roles.map(role => role.Ref), statement }))
  })
}

export const asList = <T>(value: T | T[]): T[] => (Array.isArray(value) ? value : [value])
