import { readFileSync } from 'node:fs'
import type { Command } from 'commander'
import { OpenLedgerError } from '../../domain/errors.ts'
import { type Report, verifyBallots, verifyPayout, verifyRecord } from '../../verify/index.ts'
import { print } from '../output.ts'

const KINDS = {
  ballots: (file: string) => verifyBallots(new Uint8Array(readFileSync(file))),
  record: (file: string) => verifyRecord(JSON.parse(readFileSync(file, 'utf8'))),
  payout: (file: string) => verifyPayout(readFileSync(file, 'utf8')),
} satisfies Record<string, (file: string) => Promise<Report>>

/** Checks a public file offline with the independent verifier; asks no deployment. */
export function verify(program: Command): void {
  program
    .command('verify <kind> <file>')
    .description(`check a public file offline: ${Object.keys(KINDS).join(', ')}`)
    .action(async (kind: string, file: string, _options: object, command: Command) => {
      const check = KINDS[kind as keyof typeof KINDS]
      if (check === undefined) {
        throw new OpenLedgerError('malformed', 'This kind of file is not known', {
          expected: Object.keys(KINDS).join(', '),
          seen: kind,
        })
      }
      const report = await check(file)
      print(
        {
          json: report,
          lines: [
            ...report.checks.map(one => `${one.ok ? 'ok  ' : 'FAIL'}  ${one.name}: ${one.detail}`),
            ...report.notChecked.map(one => `not checked: ${one}`),
            report.ok ? 'Everything that was checked holds.' : 'This file does not hold.',
          ],
        },
        command.optsWithGlobals<{ json: boolean }>().json,
      )
      if (!report.ok) process.exitCode = 1
    })
}
