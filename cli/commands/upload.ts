import { readFileSync } from 'node:fs'
import type { Command } from 'commander'
import { upload as send } from '../actions/upload.ts'
import { contextOf, walletOf } from '../context.ts'

const ENDED = ['accepted', 'partly-accepted', 'rejected', 'quarantined', 'expired']

/** Signs a manifest, uploads the records, and tells what intake decided and why. */
export function upload(program: Command): void {
  program
    .command('upload <file>')
    .description('sign and upload JSON Lines to a Datanet, and wait for the decision')
    .requiredOption('--datanet <id>')
    .requiredOption('--license <spdx>', 'for instance CC-BY-4.0')
    .option('--key-file <file>', 'private key of the contributor (or OPENLEDGER_KEY)')
    .action(
      async (
        file: string,
        options: { datanet: string; license: string; keyFile?: string },
        command: Command,
      ) => {
        const { session, show } = contextOf(command)
        const opened = await session()
        const jsonl = readFileSync(file, 'utf8')
        const { submissionId } = await send(opened, walletOf(options), {
          datanetId: options.datanet,
          jsonl,
          license: options.license,
        })
        for (;;) {
          const submission = await opened.client.call('getSubmission', { params: { id: submissionId } })
          if (ENDED.includes(submission.state)) {
            const { state, acceptedRecords, recordCount, refusals, reasons } = submission
            show({
              json: submission,
              lines: [
                `${state}: ${acceptedRecords} of ${recordCount} records accepted (submission ${submissionId})`,
                ...reasons.map(
                  reason => `  ${reason.code}: expected ${reason.expected}, seen ${reason.seen}`,
                ),
                ...refusals
                  .slice(0, 20)
                  .map(one => `  line ${one.line}: ${one.code}: expected ${one.expected}, seen ${one.seen}`),
                ...(refusals.length > 20 ? [`  and ${refusals.length - 20} more; --json shows them`] : []),
              ],
            })
            return
          }
          await new Promise(wake => setTimeout(wake, 1_000))
        }
      },
    )
}
