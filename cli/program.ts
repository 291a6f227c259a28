import { readFileSync } from 'node:fs'
import { Command, CommanderError } from 'commander'
import { chat } from './commands/chat.ts'
import { claim } from './commands/claim.ts'
import { doctor } from './commands/doctor.ts'
import { freeze } from './commands/freeze.ts'
import { genesis } from './commands/genesis.ts'
import { importModel } from './commands/import-model.ts'
import { init } from './commands/init.ts'
import { judge } from './commands/judge.ts'
import { keys } from './commands/keys.ts'
import { propose } from './commands/propose.ts'
import { prove } from './commands/prove.ts'
import { rehearse } from './commands/rehearse.ts'
import { review } from './commands/review.ts'
import { runs } from './commands/runs.ts'
import { status } from './commands/status.ts'
import { upload } from './commands/upload.ts'
import { verify } from './commands/verify.ts'
import { vote } from './commands/vote.ts'
import { explain, NotHeld } from './output.ts'

/** The command line. Resolves with the exit code: 0 done, 1 refused or failed, 2 called wrongly. */
export async function openLedger(argv: readonly string[]): Promise<number> {
  const program = new Command('openledger')
    .description(
      'A community owns the life of an AI model: propose, review, vote, contribute, judge, use, verify.',
    )
    .version(version())
    .option('--profile <name>', 'which deployment: `local`, or .openledger/<name>.json', 'local')
    .option('--json', 'print what the command found as JSON', false)
    .exitOverride()
    .showHelpAfterError()
    .configureOutput({ writeErr: text => (wantsJson(argv) ? undefined : process.stderr.write(text)) })
  const commands = [
    init,
    doctor,
    genesis,
    status,
    propose,
    review,
    vote,
    upload,
    freeze,
    judge,
    keys,
    claim,
    chat,
    runs,
    importModel,
    rehearse,
    prove,
    verify,
  ]
  for (const add of commands) add(program)
  try {
    await program.parseAsync([...argv])
    return 0
  } catch (error) {
    if (error instanceof NotHeld) return 1
    if (error instanceof CommanderError) {
      if (error.exitCode === 0) return 0
      if (wantsJson(argv)) console.log(JSON.stringify({ error: usage(error) }, null, 2))
      return 2
    }
    explain(error, wantsJson(argv))
    return 1
  }
}

/** Known before anything is parsed, so that a refused command line is told as JSON too. */
const wantsJson = (argv: readonly string[]) => argv.includes('--json')

function usage({ message }: CommanderError) {
  return { code: 'usage', message: message.replace(/^error: /, ''), expected: 'see openledger --help' }
}

function version(): string {
  const file = new URL('../package.json', import.meta.url)
  return (JSON.parse(readFileSync(file, 'utf8')) as { version: string }).version
}
