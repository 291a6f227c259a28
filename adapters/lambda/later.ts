import { InvokeCommand, type LambdaClient } from '@aws-sdk/client-lambda'

/** Asks a function to run soon; it runs once or several times, so it must not mind. */
export function runLater(lambda: LambdaClient, functionName: string): () => Promise<void> {
  return async () => {
    await lambda.send(
      new InvokeCommand({ FunctionName: functionName, InvocationType: 'Event', Payload: '{}' }),
    )
  }
}
