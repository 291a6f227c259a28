import { existsSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import type { Command } from 'commander'
import { OpenLedgerError } from '../../domain/errors.ts'
import { accountLooks } from '../doctor/account.ts'
import { deploymentLooks } from '../doctor/deployment.ts'
import { type Finding, findings, type Look } from '../doctor/finding.ts'
import { machineLooks } from '../doctor/machine.ts'
import { NotHeld, print } from '../output.ts'
import { loadProfile, profilePath } from '../profile.ts'

const REPOSITORY = resolve(import.meta.dirname, '../..')
const MARKS = { ok: 'ok     ', wrong: 'WRONG  ', skipped: 'skipped' } as const

/** Looks at everything that a deployment needs, and prints the fix for what is wrong. */
export function doctor(program: Command): void {
  program
    .command('doctor')
    .description(
      'look at machine, credentials, bootstrap, quotas, chain and base model; prints the fix for each',
    )
    .option('--stage <name>', 'also look at this stage of config/, before its first deploy')
    .action(async (options: { stage?: string }, command: Command) => {
      const { profile: name, json } = command.optsWithGlobals<{ profile: string; json: boolean }>()
      const profile = existsSync(profilePath(name)) ? loadProfile(name) : null
      const looks: Look[] = machineLooks(process.cwd())
      const before: Finding[] = []
      if (profile !== null) looks.push(...deploymentLooks(profile))
      else {
        before.push({
          name: 'profile',
          state: 'wrong',
          found: `${profilePath(name)} does not exist`,
          fix:
            name === 'local'
              ? 'npm start, or name another one: openledger --profile NAME doctor'
              : 'write { "baseUrl": "https://..." } with the address that cdk deploy printed',
        })
      }
      if (options.stage !== undefined || profile?.aws !== undefined) {
        const models =
          options.stage === undefined ? [profile?.modelProfile ?? ''] : stageModels(options.stage)
        looks.push(...accountLooks(profile, models, REPOSITORY))
      }
      const found = [...before, ...(await findings(looks))]
      const wrong = found.filter(({ state }) => state === 'wrong')
      print(
        {
          json: { ok: wrong.length === 0, findings: found },
          lines: [
            ...found.flatMap(({ name, state, found, fix }) => [
              `${MARKS[state]}  ${name}: ${found}`,
              ...(fix === undefined ? [] : [`         fix: ${fix}`]),
            ]),
            wrong.length === 0 ? 'Nothing is wrong.' : `${wrong.length} of ${found.length} need a fix.`,
          ],
        },
        json,
      )
      if (wrong.length > 0) throw new NotHeld()
    })
}

/** @throws OpenLedgerError not-found */
function stageModels(stage: string): string[] {
  const file = join(REPOSITORY, 'config', `${stage}.json`)
  if (!existsSync(file))
    throw new OpenLedgerError('not-found', `There is no stage "${stage}"`, { expected: file })
  return (JSON.parse(readFileSync(file, 'utf8')) as { modelProfiles: string[] }).modelProfiles
}
