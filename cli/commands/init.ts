import { randomBytes } from 'node:crypto'
import { existsSync, readdirSync, writeFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { type Command, Option } from 'commander'
import { OpenLedgerError } from '../../domain/errors.ts'
import { rulePresets } from '../../domain/governance/rules.ts'
import type { Address } from '../../domain/protocol/hex.ts'
import { address, addresses, count, urls } from '../arguments.ts'
import { readJson } from '../files.ts'
import { print } from '../output.ts'

type Options = {
  stage: string
  chainId: number
  gOpen: Address
  openToken: Address
  rewardClaims: Address
  rpc: string[]
  governor: Address[]
  threshold: number
  rules: string
}

/** Makes the genesis facts of a stage: a random deployment id, the chain, the contracts and the governors. */
export function init(program: Command): void {
  program
    .command('init')
    .description(
      'write the genesis facts of a stage into config/<stage>.json; they are made once and kept for ever',
    )
    .requiredOption('--stage <name>', 'a stage of config/, for instance dev')
    .requiredOption('--chain-id <n>', 'of the chain that gOPEN is on', count)
    .requiredOption('--g-open <address>', 'the gOPEN contract', address)
    .requiredOption('--open-token <address>', 'the OPEN contract', address)
    .requiredOption('--reward-claims <address>', 'the RewardClaims contract', address)
    .requiredOption(
      '--rpc <url...>',
      'RPC endpoints that must agree; a stage with money in it needs two',
      urls,
    )
    .requiredOption('--governor <address...>', 'the Protocol Governors', addresses)
    .requiredOption('--threshold <m>', 'how many governors admit a proposal', count)
    .addOption(
      new Option('--rules <preset>', 'windows, threshold and quorum')
        .choices(Object.keys(rulePresets))
        .default('openledger-contracts'),
    )
    .action((options: Options, command: Command) => {
      const { governor: governors, threshold } = options
      if (new Set(governors).size !== governors.length)
        command.error('error: --governor names somebody twice')
      if (threshold > governors.length)
        command.error(`error: --threshold ${threshold} is more than the ${governors.length} governors`)
      const { file, settings } = readStage(options.stage)
      const genesis = {
        deploymentId: `0x${randomBytes(32).toString('hex')}`,
        chainId: options.chainId,
        gOpen: options.gOpen,
        openToken: options.openToken,
        rewardClaims: options.rewardClaims,
        rpcUrls: options.rpc,
        governors: { addresses: governors, threshold },
        rules: options.rules,
      }
      writeFileSync(file, `${JSON.stringify({ ...settings, genesis }, null, 2)}\n`)
      print(
        {
          json: { file, genesis },
          lines: [
            `deployment ${genesis.deploymentId} written to ${file}`,
            `next: npx cdk deploy --all -c stage=${options.stage}, then openledger genesis --write`,
          ],
        },
        command.optsWithGlobals<{ json: boolean }>().json,
      )
    })
}

/** The file of a stage without genesis facts. @throws OpenLedgerError not-found, malformed, conflict */
function readStage(stage: string): { file: string; settings: Record<string, unknown> } {
  const folder = resolve('config')
  const stages = existsSync(folder)
    ? readdirSync(folder).flatMap(file => (file.endsWith('.json') ? [file.slice(0, -'.json'.length)] : []))
    : []
  const file = resolve(folder, `${stage}.json`)
  if (!stages.includes(stage))
    throw new OpenLedgerError('not-found', `There is no stage "${stage}"`, {
      expected: file,
      seen: stages.length === 0 ? `no stages in ${folder}` : `stages: ${stages.join(', ')}`,
    })
  const settings = readJson(file, 'the settings of a stage')
  if (typeof settings !== 'object' || settings === null || !('genesis' in settings))
    throw new OpenLedgerError('malformed', `${file} is not a stage`, {
      expected: 'an object with "genesis": null',
      seen: 'no "genesis"',
    })
  if (settings.genesis !== null)
    throw new OpenLedgerError('conflict', 'This stage has its genesis facts already', {
      expected: '"genesis": null in the file',
      seen: 'facts that every signature of the deployment is bound to',
    })
  return { file, settings: { ...settings } }
}
