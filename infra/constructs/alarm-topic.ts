import { Stack } from 'aws-cdk-lib'
import { ServicePrincipal } from 'aws-cdk-lib/aws-iam'
import type { IKey } from 'aws-cdk-lib/aws-kms'
import { Topic } from 'aws-cdk-lib/aws-sns'
import { EmailSubscription } from 'aws-cdk-lib/aws-sns-subscriptions'
import type { Construct } from 'constructs'
import type { StageConfig } from '../config.ts'
import { alarmTopicName } from '../names.ts'

/** Where every alarm of the stage goes. */
export class AlarmTopic extends Topic {
  constructor(scope: Construct, id: string, props: { config: StageConfig; encryptionKey: IKey }) {
    const { config, encryptionKey } = props
    super(scope, id, { topicName: alarmTopicName(config.stage), masterKey: encryptionKey, enforceSSL: true })
    this.grantPublish(
      new ServicePrincipal('cloudwatch.amazonaws.com', {
        conditions: { StringEquals: { 'aws:SourceAccount': Stack.of(this).account } },
      }),
    )
    if (config.alarmEmail) this.addSubscription(new EmailSubscription(config.alarmEmail))
  }
}
