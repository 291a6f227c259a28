import { Argument, type Command } from 'commander'
import { SUPPORT } from '../../domain/protocol/typed-data.ts'
import { vote as send } from '../actions/vote.ts'
import { id } from '../arguments.ts'
import { contextOf, walletOf } from '../context.ts'
import { open } from '../output.ts'

/** A signed ballot; voting again replaces it. */
export function vote(program: Command): void {
  program
    .command('vote')
    .argument('<proposal>', 'its id', id)
    .addArgument(new Argument('<choice>').choices(Object.keys(SUPPORT)))
    .description('cast a signed ballot: `for`, `against` or `abstain`; voting again replaces it')
    .option('--reason <text>', 'published with the ballot', '')
    .option('--key-file <file>', 'private key of the voter (or OPENLEDGER_KEY)')
    .action(
      async (
        proposalId: string,
        choice: keyof typeof SUPPORT,
        options: { reason: string; keyFile?: string },
        command: Command,
      ) => {
        const { session, show } = contextOf(command)
        const wallet = walletOf(options)
        const answer = await send(await session(), wallet, { proposalId, choice, reason: options.reason })
        show({
          json: answer,
          lines: [
            answer.counted
              ? `counted with ${open(answer.powerWei)} gOPEN`
              : 'recorded, but not counted: a later ballot of yours replaced it',
            answer.receipt === null
              ? 'the receipt could not be signed now; ask for it again'
              : `receipt ${answer.receipt.signature}`,
          ],
        })
      },
    )
}
