import { Argument, type Command } from 'commander'
import { review as send } from '../actions/review.ts'
import { id } from '../arguments.ts'
import { contextOf, walletOf } from '../context.ts'

/** A governor's signed review. */
export function review(program: Command): void {
  program
    .command('review')
    .argument('<proposal>', 'its id', id)
    .addArgument(new Argument('<decision>').choices(['admit', 'reject']))
    .description('as a Protocol Governor, `admit` or `reject` a proposal, with a public reason')
    .requiredOption('--reason <text>', 'published with the review')
    .option('--key-file <file>', 'private key of the governor (or OPENLEDGER_KEY)')
    .action(
      async (
        proposalId: string,
        decision: 'admit' | 'reject',
        options: { reason: string; keyFile?: string },
        command: Command,
      ) => {
        const { session, show } = contextOf(command)
        const wallet = walletOf(options)
        const answer = await send(await session(), wallet, { proposalId, decision, reason: options.reason })
        show({
          json: answer,
          lines: [
            `${answer.admits} admit, ${answer.rejects} reject${answer.admitted ? ': admitted to the vote' : ''}`,
          ],
        })
      },
    )
}
