import { SqsEventSource } from 'aws-cdk-lib/aws-lambda-event-sources'
import { Construct } from 'constructs'
import type { AreaFunctions } from './area-functions.ts'
import type { UploadQueue } from './upload-queue.ts'

/** Each arrived upload starts the intake machine; one bad message does not hold back the others of its batch. */
export class UploadIntake extends Construct {
  constructor(scope: Construct, id: string, props: { functions: AreaFunctions; queue: UploadQueue }) {
    super(scope, id)
    props.functions
      .get('data/start-intake')
      .addEventSource(new SqsEventSource(props.queue, { batchSize: 10, reportBatchItemFailures: true }))
  }
}
