import { openLedger } from '../cli/program.ts'

process.exitCode = await openLedger(process.argv)
