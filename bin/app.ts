import { App } from 'aws-cdk-lib'
import { openLedger } from '../infra/app.ts'
import { ConfigError } from '../infra/config.ts'

try {
  openLedger(new App())
} catch (error) {
  if (!(error instanceof ConfigError)) throw error
  // What is wrong with a setting is said without a stack trace: the reader is an operator.
  console.error(error.message)
  process.exitCode = 1
}
