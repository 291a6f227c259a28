import { openLedger } from '../cli/program.ts'

// `openledger runs | head` closes the pipe early; that is no failure.
process.stdout.on('error', (error: NodeJS.ErrnoException) => process.exit(error.code === 'EPIPE' ? 0 : 1))
process.exitCode = await openLedger(process.argv)
