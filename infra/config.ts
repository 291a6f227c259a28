import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import type { Node } from 'constructs'
import * as z from 'zod'
import { address, baseUnits, bytes32, slug } from '../api/schemas/common.ts'
import { type Rules, rules } from '../api/schemas/governance.ts'
import { type ModelProfile, modelProfile } from './model-profile.ts'

/** Where `-c stage=NAME` and `-c config=DIR` are looked up; relative paths start at the repository. */
const REPOSITORY = resolve(import.meta.dirname, '..')

/** Names only: infra may not import domain, and a test compares them with the presets there. */
export const RULE_PRESETS = ['openledger-contracts', 'openledger-docs', 'rehearsal'] as const

/** Facts of the community's chain and people. Made once by `openledger init`; a redeploy or a restore keeps them. */
const genesisFacts = z.strictObject({
  deploymentId: bytes32,
  chainId: z.int().min(1),
  gOpen: address,
  openToken: address,
  rewardClaims: address,
  /** Final blocks are believed when two endpoints agree, so a stage with money in it names two. */
  rpcUrls: z
    .array(z.url({ protocol: /^https?$/ }))
    .min(1)
    .max(5),
  governors: z
    .strictObject({ addresses: z.array(address).min(1).max(50), threshold: z.int().min(1) })
    .refine(governors => governors.threshold <= governors.addresses.length, {
      path: ['threshold'],
      error: 'expected at most as many as there are governors',
    })
    .refine(governors => new Set(governors.addresses).size === governors.addresses.length, {
      path: ['addresses'],
      error: 'expected each governor once',
    }),
  /** A preset of domain/governance/rules.ts by name, or the rules themselves. */
  rules: z.union([z.enum(RULE_PRESETS), rules]),
})

const modelPrice = z.strictObject({
  /** Base units of the stage's token for a million tokens. */
  promptPerMillionWei: baseUnits,
  completionPerMillionWei: baseUnits,
})

const stageFile = z.strictObject({
  $schema: z.string().optional(),
  /** Repeats the file's name, for readers. */
  stage: slug.optional(),
  /** Left out: the account and the region of the credentials that deploy. */
  account: z
    .string()
    .regex(/^[0-9]{12}$/, 'expected a 12-digit account id')
    .optional(),
  region: z
    .string()
    .regex(/^[a-z]{2}(-[a-z]+)+-[0-9]$/, 'expected a region like eu-central-1')
    .optional(),
  /** The stand-ins of one machine instead of AWS: selects a column of `platforms`, and nothing else. */
  local: z.boolean(),
  /** Allows rules with windows of seconds, for plays and trials. Never where votes decide about money. */
  rehearsal: z.boolean(),
  /** Data survives `cdk destroy`, and stacks refuse deletion. */
  retain: z.boolean(),
  /** null until `openledger init --stage NAME` has been run. */
  genesis: genesisFacts.nullable(),
  /** Names of `config/model-profiles/`. The first is the default. */
  modelProfiles: z.array(slug).min(1),
  /** By model profile. */
  modelPrices: z.record(slug, modelPrice),
  /** Length of a payout period, counted from the epoch. */
  periodSeconds: z.int().min(10).default(86_400),
  alarmEmail: z.email().optional(),
  /** After how many days log lines are deleted. */
  logRetentionDays: z.literal([1, 7, 30, 90, 365]),
  throttle: z.strictObject({ requestsPerSecond: z.int().min(1), burst: z.int().min(1) }),
})

/** What a stage with money in it may not undercut: people need time to see, think and act. */
const SHORTEST_WINDOWS = {
  reviewSeconds: 3_600,
  votingPeriodSeconds: 86_400,
  timelockSeconds: 3_600,
} as const

export type Genesis = Omit<z.infer<typeof genesisFacts>, 'rules'>
export type StageConfig = Omit<
  z.infer<typeof stageFile>,
  'genesis' | 'modelProfiles' | 'stage' | '$schema'
> & {
  readonly stage: string
  /** Placeholder facts while `initialized` is false: such an app can be looked at, but not deployed. */
  readonly genesis: Genesis
  readonly initialized: boolean
  readonly rules: Rules | (typeof RULE_PRESETS)[number]
  readonly modelProfiles: Readonly<Record<string, ModelProfile>>
  readonly platform: Platform
}

/**
 * Everything in the templates that differs between AWS and one machine. Each entry has its row in
 * docs/architecture.md; a difference that is not here is a defect.
 */
export type Platform = {
  /** CloudFront with the pages. One machine: no; the local edge serves the same files. */
  readonly consoleStack: boolean
}
export const platforms: { readonly aws: Platform; readonly local: Platform } = {
  aws: { consoleStack: true },
  local: { consoleStack: false },
}

export class ConfigError extends Error {
  override readonly name = 'ConfigError'
}

/** The only reader of context: `-c stage=NAME` (required) and `-c config=DIR` (default `config`). */
export function readConfig(node: Node): StageConfig {
  const stage: unknown = node.tryGetContext('stage')
  const folder: unknown = node.tryGetContext('config') ?? 'config'
  if (typeof folder !== 'string') throw new ConfigError('-c config=DIR: expected a folder')
  const directory = resolve(REPOSITORY, folder)
  if (typeof stage !== 'string' || stage === '') {
    throw new ConfigError(`Say which stage: -c stage=NAME, one of ${stagesIn(directory)}`)
  }
  return loadStage(directory, stage)
}

/** Reads and checks `<directory>/<stage>.json`; model profiles missing there come from `config/`. */
export function loadStage(directory: string, stage: string): StageConfig {
  const path = join(directory, `${stage}.json`)
  if (!slug.safeParse(stage).success || !existsSync(path)) {
    throw new ConfigError(`There is no stage "${stage}" in ${directory}; there are: ${stagesIn(directory)}`)
  }
  const file = checked(path, stageFile)
  const { rules, ...genesis } = file.genesis ?? NOT_INITIALIZED
  const { $schema: _, ...settings } = file
  const config: StageConfig = {
    ...settings,
    stage: file.stage ?? stage,
    genesis,
    initialized: file.genesis !== null,
    rules,
    modelProfiles: Object.fromEntries(file.modelProfiles.map(name => [name, profile(directory, name, path)])),
    platform: file.local ? platforms.local : platforms.aws,
  }
  refuseContradictions(config, path)
  return config
}

function refuseContradictions(config: StageConfig, path: string) {
  const refuse = (message: string) => {
    throw new ConfigError(`${path}: ${message}`)
  }
  if (!path.endsWith(`${config.stage}.json`))
    refuse(`stage: expected the file's own name, seen "${config.stage}"`)
  for (const name of Object.keys(config.modelPrices)) {
    if (!config.modelProfiles[name]) refuse(`modelPrices.${name}: expected one of modelProfiles`)
  }
  for (const { name, localOnly } of Object.values(config.modelProfiles)) {
    if (localOnly && !config.local)
      refuse(`modelProfiles: "${name}" runs on one machine only; it names no image that AWS has`)
  }
  if (config.rehearsal && config.retain) {
    refuse('rehearsal: expected false where retain is true; a play must not share a stage with what is kept')
  }
  if (!config.rehearsal) refuseHurry(config, refuse)
}

function refuseHurry({ rules, genesis }: StageConfig, refuse: (message: string) => void) {
  if (rules === 'rehearsal') refuse('genesis.rules: "rehearsal" needs a stage with "rehearsal": true')
  if (genesis.rpcUrls.length < 2)
    refuse(`genesis.rpcUrls: expected two endpoints that must agree, seen ${genesis.rpcUrls.length}`)
  if (typeof rules === 'string') return
  for (const [window, atLeast] of Object.entries(SHORTEST_WINDOWS) as [
    keyof typeof SHORTEST_WINDOWS,
    number,
  ][]) {
    if (rules[window] >= atLeast) continue
    refuse(
      `genesis.rules.${window}: expected at least ${atLeast}, seen ${rules[window]}; shorter windows need "rehearsal": true`,
    )
  }
}

/** A profile of the stage's own folder, or else of the repository's. */
function profile(directory: string, name: string, namedBy: string): ModelProfile {
  const folders = [directory, join(REPOSITORY, 'config')].map(folder => join(folder, 'model-profiles'))
  const folder = folders.find(candidate => existsSync(join(candidate, `${name}.json`)))
  if (folder === undefined) {
    const known = [...new Set(folders.flatMap(jsonNamesIn))].sort().join(', ')
    throw new ConfigError(`${namedBy}: modelProfiles: expected some of ${known}, seen "${name}"`)
  }
  const path = join(folder, `${name}.json`)
  const found = checked(path, modelProfile)
  if (found.name === name) return found
  throw new ConfigError(`${path}: name: expected "${name}" like its file, seen "${found.name}"`)
}

function checked<T extends z.ZodType>(path: string, schema: T): z.output<T> {
  const outcome = schema.safeParse(parsed(path), { reportInput: true })
  if (outcome.success) return outcome.data
  const lines = outcome.error.issues.map(
    issue => `  ${issue.path.join('.') || '(top)'}: ${issue.message}${seen(issue)}`,
  )
  throw new ConfigError(`${path} is not as it should be:\n${lines.join('\n')}`)
}

function parsed(path: string): unknown {
  const text = readFileSync(path, 'utf8')
  try {
    return JSON.parse(text)
  } catch (cause) {
    throw new ConfigError(`${path} is not JSON: ${(cause as Error).message}`, { cause })
  }
}

function seen(issue: z.core.$ZodIssue): string {
  if (issue.input === undefined || issue.code === 'unrecognized_keys') return ''
  const text = JSON.stringify(issue.input) ?? String(issue.input)
  return `, seen ${text.length > 80 ? `${text.slice(0, 77)}...` : text}`
}

const stagesIn = (directory: string) =>
  jsonNamesIn(directory).join(', ') || `none (${directory} holds no stage)`
const jsonNamesIn = (directory: string) =>
  existsSync(directory)
    ? readdirSync(directory)
        .filter(name => name.endsWith('.json'))
        .map(name => name.slice(0, -'.json'.length))
        .sort()
    : []

const NOT_INITIALIZED: z.infer<typeof genesisFacts> = {
  deploymentId: `0x${'0'.repeat(64)}`,
  chainId: 1,
  gOpen: `0x${'0'.repeat(40)}`,
  openToken: `0x${'0'.repeat(40)}`,
  rewardClaims: `0x${'0'.repeat(40)}`,
  rpcUrls: ['https://one.invalid', 'https://two.invalid'],
  governors: { addresses: [`0x${'0'.repeat(40)}`], threshold: 1 },
  rules: 'openledger-docs',
}
