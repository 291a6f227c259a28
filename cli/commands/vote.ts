import type { Command } from 'commander'
import { SUPPORT } from '../../domain/protocol/typed-data.ts'
import { vote as send } from '../actions/vote.ts'
import { contextOf, walletOf } from '../context.ts'
import { open } from '../output.ts'

/** A signed ballot; voting again replaces it. */
export function vote(program: Command): void {
  program
    .command('vote <proposal> <choice>')
    .description('cast a signed ballot: `for`, `against` or `abstain`; voting again replaces it')
    .option('--reason <text>', '', '')
    .option('--key-file <file>', 'private key of the voter (or OPENLEDGER_KEY)')
    .action(
      async (
        proposalId: string,
        choice: string,
        options: { reason: string; keyFile?: string },
        command: Command,
      ) => {
        const { session, show } = contextOf(command)
        if (!(choice in SUPPORT)) command.error('the choice is `for`, `against` or `abstain`')
        const input = { proposalId, choice: choice as keyof typeof SUPPORT, reason: options.reason }
        const answer = await send(await session(), walletOf(options), input)
        show({
          json: answer,
          lines: [
            `counted with ${open(answer.powerWei)} gOPEN`,
            answer.receipt === null
              ? 'the receipt could not be signed now; ask for it again'
              : `receipt ${answer.receipt.signature}`,
          ],
        })
      },
    )
}
