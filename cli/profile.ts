import { existsSync, readdirSync } from 'node:fs'
import { join, resolve } from 'node:path'
import * as z from 'zod'
import { OpenLedgerError } from '../domain/errors.ts'
import { readJson } from './files.ts'

/** Where a deployment is and what this person may use there. One file a profile, never committed. */
const profileFile = z.strictObject({
  baseUrl: z.url(),
  rpcUrl: z.url().optional(),
  /** For an operator: where artifacts are brought to. Credentials come from the usual places unless given. */
  aws: z
    .strictObject({
      region: z.string(),
      endpoint: z.url().optional(),
      accessKeyId: z.string().optional(),
      secretAccessKey: z.string().optional(),
      artifactsBucket: z.string(),
      stage: z.string(),
    })
    .optional(),
  modelProfile: z.string().default('cpu-135m'),
  modelFolder: z.string().optional(),
  recipeFile: z.string().optional(),
  /** For a rehearsal: the key that gives scripted people gas and OPEN. `OPENLEDGER_FUNDER_KEY` goes before it. */
  funderKey: z.string().optional(),
  /** What `chat` pays with, and the key that a rehearsal buys. `OPENLEDGER_API_KEY` goes before it. */
  apiKey: z.string().optional(),
  /** For a rehearsal: the phrase of the scripted people. */
  peoplePhrase: z.string().optional(),
})
export type Profile = z.infer<typeof profileFile> & { readonly name: string }

const REPOSITORY = resolve(import.meta.dirname, '..')
const LOCAL_PROFILE = join(REPOSITORY, '.local/state/profile.json')

/** `local` is what `npm start` runs; others are `.openledger/<name>.json` in the current folder. */
export function profilePath(name: string): string {
  if (!/^[A-Za-z0-9][A-Za-z0-9_-]*$/.test(name))
    throw new OpenLedgerError('malformed', 'This cannot be the name of a profile', {
      expected: 'letters, digits, - and _, as in .openledger/NAME.json',
      seen: name,
    })
  return name === 'local' ? LOCAL_PROFILE : resolve('.openledger', `${name}.json`)
}

/** @throws OpenLedgerError not-found, malformed */
export function loadProfile(name: string, path = profilePath(name)): Profile {
  if (!existsSync(path)) {
    const others = otherProfiles()
    throw new OpenLedgerError('not-found', `There is no profile "${name}"`, {
      expected:
        name === 'local'
          ? 'a running `npm start`, or another profile: openledger --profile NAME'
          : `${path} with at least { "baseUrl": "https://..." }`,
      seen: others.length === 0 ? 'no profile in .openledger/' : `profiles: ${others.join(', ')}`,
    })
  }
  const outcome = profileFile.safeParse(readJson(path, 'a profile: JSON with at least "baseUrl"'))
  if (outcome.success) return { ...outcome.data, name }
  const [issue] = outcome.error.issues
  throw new OpenLedgerError('malformed', `The profile "${name}" is not as it should be`, {
    expected: issue?.message ?? 'another shape',
    seen: `${path}: ${issue?.path.join('.') || 'the whole'}`,
  })
}

/** Those of the current folder. */
function otherProfiles(): string[] {
  const folder = resolve('.openledger')
  if (!existsSync(folder)) return []
  return readdirSync(folder).flatMap(file => (file.endsWith('.json') ? [file.slice(0, -'.json'.length)] : []))
}

export function awsSettings(profile: Profile) {
  const { aws } = profile
  if (aws === undefined) {
    throw new OpenLedgerError('forbidden', 'This needs the operator of the deployment', {
      expected: `"aws" in the profile ${profile.name}`,
      seen: 'a profile without it',
    })
  }
  const { accessKeyId, secretAccessKey } = aws
  return {
    region: aws.region,
    ...(aws.endpoint === undefined ? {} : { endpoint: aws.endpoint, forcePathStyle: true }),
    ...(accessKeyId === undefined || secretAccessKey === undefined
      ? {}
      : { credentials: { accessKeyId, secretAccessKey } }),
  }
}
