import { resolve } from 'node:path'
import type { Command } from 'commander'
import { rehearse as play } from '../../examples/iam-assistant/rehearse.ts'
import { contextOf } from '../context.ts'
import { NotHeld } from '../output.ts'

/** Plays the whole life of a model with scripted people on a stage that allows it. */
export function rehearse(program: Command): void {
  program
    .command('rehearse')
    .description('play the life of a model with scripted people (only where the stage says rehearsal: true)')
    .option('--report <file>', 'where the report goes', '.local/lifecycle.json')
    .option('--tiny', 'few records and no bar for the gates; for tests with a tiny model')
    .action(async (options: { report: string; tiny?: boolean }, command: Command) => {
      const { profile, show } = contextOf(command)
      const report = await play(profile, { reportFile: resolve(options.report), tiny: options.tiny === true })
      show({
        json: report,
        lines: [report.ok ? 'Every step held.' : 'Not every step held.', `Report: ${options.report}`],
      })
      if (!report.ok) throw new NotHeld()
    })
}
