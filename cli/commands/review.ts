import type { Command } from 'commander'
import { review as send } from '../actions/review.ts'
import { contextOf, walletOf } from '../context.ts'

/** A governor's signed review. */
export function review(program: Command): void {
  program
    .command('review <proposal> <decision>')
    .description('as a Protocol Governor, `admit` or `reject` a proposal, with a public reason')
    .requiredOption('--reason <text>')
    .option('--key-file <file>', 'private key of the governor (or OPENLEDGER_KEY)')
    .action(
      async (
        proposalId: string,
        decision: string,
        options: { reason: string; keyFile?: string },
        command: Command,
      ) => {
        const { session, show } = contextOf(command)
        if (decision !== 'admit' && decision !== 'reject')
          command.error('the decision is `admit` or `reject`')
        const input = { proposalId, decision: decision as 'admit' | 'reject', reason: options.reason }
        const answer = await send(await session(), walletOf(options), input)
        show({
          json: answer,
          lines: [
            `${answer.admits} admit, ${answer.rejects} reject${answer.admitted ? ': admitted to the vote' : ''}`,
          ],
        })
      },
    )
}
