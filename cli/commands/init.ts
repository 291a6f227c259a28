import { randomBytes } from 'node:crypto'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { resolve } from 'node:path'
import type { Command } from 'commander'
import { OpenLedgerError } from '../../domain/errors.ts'
import { parseAddress } from '../../domain/protocol/hex.ts'
import { print } from '../output.ts'

type Options = {
  stage: string
  chainId: string
  gOpen: string
  openToken: string
  rewardClaims: string
  rpc: string[]
  governor: string[]
  threshold: string
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
    .requiredOption('--chain-id <n>')
    .requiredOption('--g-open <address>', 'the gOPEN contract')
    .requiredOption('--open-token <address>', 'the OPEN contract')
    .requiredOption('--reward-claims <address>', 'the RewardClaims contract')
    .requiredOption('--rpc <url...>', 'RPC endpoints that must agree; a stage with money in it needs two')
    .requiredOption('--governor <address...>', 'the Protocol Governors')
    .requiredOption('--threshold <m>', 'how many governors admit a proposal')
    .option('--rules <preset>', 'openledger-contracts, openledger-docs or rehearsal', 'openledger-contracts')
    .action((options: Options, command: Command) => {
      const file = resolve('config', `${options.stage}.json`)
      if (!existsSync(file)) {
        throw new OpenLedgerError('not-found', `There is no stage "${options.stage}"`, { expected: file })
      }
      const settings = JSON.parse(readFileSync(file, 'utf8')) as { genesis: unknown }
      if (settings.genesis !== null) {
        throw new OpenLedgerError('conflict', 'This stage has its genesis facts already', {
          expected: '"genesis": null in the file',
          seen: 'facts that every signature of the deployment is bound to',
        })
      }
      const genesis = {
        deploymentId: `0x${randomBytes(32).toString('hex')}`,
        chainId: Number(options.chainId),
        gOpen: parseAddress(options.gOpen),
        openToken: parseAddress(options.openToken),
        rewardClaims: parseAddress(options.rewardClaims),
        rpcUrls: options.rpc,
        governors: { addresses: options.governor.map(parseAddress), threshold: Number(options.threshold) },
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
