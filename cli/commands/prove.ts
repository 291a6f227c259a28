import type { Command } from 'commander'
import { count, id } from '../arguments.ts'
import { contextOf } from '../context.ts'
import { proveRecord, readSeed } from '../evidence/prove-record.ts'
import { readText, requireNew, writeNew } from '../files.ts'

type Options = { seed: string; line: number; dataset?: string; save: string }

/** Makes a record proof, which anybody checks with `verify record`. */
export function prove(program: Command): void {
  program
    .command('prove <file>')
    .description('prove that a record you uploaded is, or is not, in a frozen dataset')
    .requiredOption('--seed <file>', 'what `upload --keep` wrote')
    .requiredOption('--line <n>', 'which record: its line in the uploaded file, from 1', count)
    .requiredOption('--save <file>', 'where the proof goes; it shows this record and no other')
    .option('--dataset <id>', 'the frozen dataset that a proposal or a version names', id)
    .action(async (file: string, options: Options, command: Command) => {
      const { session, show } = contextOf(command)
      const jsonl = readText(file, 'the JSON Lines that were uploaded')
      const kept = readSeed(options.seed)
      requireNew(options.save)
      const { line, dataset: datasetId } = options
      const proof = await proveRecord(await session(), { jsonl, line, kept, datasetId })
      writeNew(options.save, `${JSON.stringify(proof, null, 2)}\n`)
      show({
        json: proof,
        lines: [
          `record     ${proof.recordHash}`,
          `accepted   ${proof.submission.accepted === null ? 'not shown' : 'shown'}`,
          ...(proof.dataset === null
            ? []
            : [
                `dataset    ${proof.dataset.train.member ? 'in train' : proof.dataset.dev.member ? 'in dev' : 'in no part'}`,
              ]),
          `written to ${options.save}; check it: openledger verify record ${options.save} --genesis FILE`,
        ],
      })
    })
}
