import { App } from 'aws-cdk-lib'
import { openLedger } from '../infra/app.ts'

openLedger(new App())
