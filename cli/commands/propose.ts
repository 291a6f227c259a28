import type { Command } from 'commander'
import { action as actionSchema } from '../../api/schemas/governance.ts'
import { OpenLedgerError } from '../../domain/errors.ts'
import { draftProposal, propose as send } from '../actions/propose.ts'
import { contextOf, walletOf } from '../context.ts'
import { readJson } from '../files.ts'

const ACTION = 'JSON with { type, input, budgetUsdMicro }'

/** Signs and submits a proposal whose action lies in a JSON file. */
export function propose(program: Command): void {
  program
    .command('propose')
    .description('sign and submit a proposal; times are filled in by the rules in force')
    .requiredOption('--title <text>', '3 to 120 characters')
    .requiredOption('--action <file>', 'JSON file with { type, input, budgetUsdMicro }')
    .option('--summary <text>', 'up to 4,000 characters', '')
    .option('--key-file <file>', 'private key of the proposer (or OPENLEDGER_KEY)')
    .action(
      async (
        options: { title: string; action: string; summary: string; keyFile?: string },
        command: Command,
      ) => {
        const { session, show } = contextOf(command)
        const action = actionSchema.safeParse(readJson(options.action, ACTION))
        if (!action.success) {
          const [issue] = action.error.issues
          throw new OpenLedgerError('malformed', 'The action is not as the interface describes it', {
            expected: `${issue?.message ?? ACTION} (/openapi.json has every field)`,
            seen: `${options.action}: ${issue?.path.join('.') || 'the whole'}`,
          })
        }
        const wallet = walletOf(options)
        const opened = await session()
        const content = { title: options.title, summary: options.summary, action: action.data }
        const document = draftProposal(opened, wallet.address.toLowerCase(), content, Date.now())
        const answer = await send(opened, wallet, document)
        show({
          json: { ...answer, document },
          lines: [
            `proposed ${answer.id}`,
            `the vote opens ${document.opensAt} if ${opened.genesis.governors.threshold} governors admit it`,
          ],
        })
      },
    )
}
