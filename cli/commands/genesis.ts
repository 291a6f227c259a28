import type { Command } from 'commander'
import { contextOf } from '../context.ts'

/** What a client signs against; with --write, leaf 0 of the log. */
export function genesis(program: Command): void {
  program
    .command('genesis')
    .description(
      'show the genesis facts; --write puts them into the log as leaf 0 (once, after the first deploy)',
    )
    .option('--write', 'write leaf 0 of the log')
    .action(async (options: { write?: boolean }, command: Command) => {
      const { session, show } = contextOf(command)
      const { client, genesis: facts } = await session()
      const written = options.write === true ? await client.call('logGenesis') : null
      show({
        json: { ...facts, leaf: written },
        lines: [
          `deployment  ${facts.deploymentId}`,
          `chain       ${facts.chainId}, gOPEN ${facts.gOpen}`,
          `governors   ${facts.governors.threshold} of ${facts.governors.addresses.length}`,
          `rules       ${facts.rules.name}${facts.rehearsal ? ' (a rehearsal stage)' : ''}`,
          `log         ${facts.signers.logHead}`,
          ...(written === null ? [] : [`leaf 0      ${written.leafHash}`]),
        ],
      })
    })
}
