import { Annotations, type App, type Environment, Tags, Validations } from 'aws-cdk-lib'
import { readConfig, type StageConfig } from './config.ts'
import { AccountStack } from './stacks/account.ts'
import { ApiStack } from './stacks/api.ts'
import { ConsoleStack } from './stacks/console.ts'
import { FoundationStack } from './stacks/foundation.ts'
import { PipelinesStack } from './stacks/pipelines.ts'
import { AcknowledgedChecks } from './wildcards.ts'

/** All stacks of one stage: `<stage>-foundation` and so on. */
export function openLedger(app: App): App {
  const config = readConfig(app.node)
  const { stage, retain, platform } = config
  const props = { config, env: environmentOf(config), terminationProtection: retain }
  const account = new AccountStack(app, `${stage}-account`, props)
  const foundation = new FoundationStack(app, `${stage}-foundation`, props)
  new PipelinesStack(app, `${stage}-pipelines`, { ...props, foundation })
  const api = new ApiStack(app, `${stage}-api`, { ...props, foundation })
  api.addStackDependency(
    account,
    'API Gateway refuses a stage with logs before the account has a role for them',
  )
  if (platform.consoleStack) new ConsoleStack(app, `${stage}-console`, props)

  Tags.of(app).add('openledger:stage', stage)
  Tags.of(app).add('openledger:deployment', config.genesis.deploymentId)
  Validations.of(app).addPlugins(new AcknowledgedChecks(app))
  if (!config.initialized) {
    Annotations.of(foundation).addError(
      `Stage "${stage}" has no genesis yet: run npx openledger init --stage ${stage}`,
    )
  }
  return app
}

/** The config's account and region, or else those of the credentials that deploy. */
function environmentOf(config: StageConfig): Environment {
  const account = config.account ?? process.env.CDK_DEFAULT_ACCOUNT
  const region = config.region ?? process.env.CDK_DEFAULT_REGION
  return { ...(account ? { account } : {}), ...(region ? { region } : {}) }
}
