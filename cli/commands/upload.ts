import type { Command } from 'commander'
import { OpenLedgerError } from '../../domain/errors.ts'
import { upload as send } from '../actions/upload.ts'
import { id } from '../arguments.ts'
import { contextOf, walletOf } from '../context.ts'
import { keepSeed } from '../evidence/prove-record.ts'
import { readText, requireNew } from '../files.ts'
import { NotHeld } from '../output.ts'

/** Intake of a full-size object takes minutes; what takes longer can be asked for again. */
const WAIT_MS = 1_800_000
const ASK_AGAIN_MS = 1_000
const ENDED = ['accepted', 'partly-accepted', 'rejected', 'quarantined', 'expired']

/** Signs a manifest, uploads the records, and tells what intake decided and why. */
export function upload(program: Command): void {
  program
    .command('upload <file>')
    .description('sign and upload JSON Lines to a Datanet, and wait for the decision')
    .requiredOption('--datanet <id>', 'where the records go', id)
    .requiredOption('--license <spdx>', 'for instance CC-BY-4.0')
    .option('--key-file <file>', 'private key of the contributor (or OPENLEDGER_KEY)')
    .option('--keep <file>', 'keep the secret seed of this upload: `prove` makes record proofs with it')
    .action(
      async (
        file: string,
        options: { datanet: string; license: string; keyFile?: string; keep?: string },
        command: Command,
      ) => {
        const { session, show } = contextOf(command)
        const jsonl = readText(file, 'JSON Lines, a record each')
        const wallet = walletOf(options)
        if (options.keep !== undefined) requireNew(options.keep)
        const opened = await session()
        const { submissionId, seed } = await send(opened, wallet, {
          datanetId: options.datanet,
          jsonl,
          license: options.license,
        })
        if (options.keep !== undefined) keepSeed(options.keep, { submissionId, seed })
        for (const giveUpAt = Date.now() + WAIT_MS; ; ) {
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
            if (acceptedRecords === 0) throw new NotHeld()
            return
          }
          if (Date.now() > giveUpAt)
            throw new OpenLedgerError('unavailable', 'The upload is not decided yet', {
              expected: `a decision within ${WAIT_MS / 60_000} minutes; GET /v1/submissions/${submissionId} tells it later`,
              seen: submission.state,
            })
          await new Promise(wake => setTimeout(wake, ASK_AGAIN_MS))
        }
      },
    )
}
