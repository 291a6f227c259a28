import { GetFunctionConfigurationCommand, LambdaClient, paginateListFunctions } from '@aws-sdk/client-lambda'
import { type Route, routes } from '../../api/routes.ts'

/** What the emulator takes from anybody. */
const LOCAL_CREDENTIALS = { accessKeyId: 'test', secretAccessKey: 'test' }
const REGION = 'us-east-1'

/**
 * The environment of each streamed route's Lambda as it was deployed, with what the emulator itself adds to
 * every Lambda's: where AWS and SageMaker are. A function is known by its description, `functions/<handler>.ts`.
 * @throws Error when a streamed function is not deployed
 */
export async function streamedEnvironments(stack: {
  emulatorUrl: string
  sagemakerUrl: string
}): Promise<Record<string, Record<string, string>>> {
  const lambda = new LambdaClient({
    endpoint: stack.emulatorUrl,
    region: REGION,
    credentials: LOCAL_CREDENTIALS,
  })
  try {
    const names = new Map<string, string>()
    for await (const { Functions = [] } of paginateListFunctions({ client: lambda }, {})) {
      for (const { Description, FunctionName } of Functions) names.set(Description ?? '', FunctionName ?? '')
    }
    const handlers = (Object.values(routes) as Route[])
      .filter(route => route.streamed)
      .map(route => route.handler)
    const environments = handlers.map(async handler => {
      const name = names.get(`functions/${handler}.ts`)
      if (name === undefined)
        throw new Error(`functions/${handler}.ts is not deployed on ${stack.emulatorUrl}`)
      const { Environment } = await lambda.send(new GetFunctionConfigurationCommand({ FunctionName: name }))
      return [handler, { ...Environment?.Variables, ...addedByRuntime(name, stack) }] as const
    })
    return Object.fromEntries(await Promise.all(environments))
  } finally {
    lambda.destroy()
  }
}

function addedByRuntime(
  name: string,
  stack: { emulatorUrl: string; sagemakerUrl: string },
): Record<string, string> {
  return {
    AWS_LAMBDA_FUNCTION_NAME: name,
    AWS_REGION: REGION,
    AWS_ACCESS_KEY_ID: LOCAL_CREDENTIALS.accessKeyId,
    AWS_SECRET_ACCESS_KEY: LOCAL_CREDENTIALS.secretAccessKey,
    AWS_ENDPOINT_URL: stack.emulatorUrl,
    AWS_ENDPOINT_URL_SAGEMAKER: stack.sagemakerUrl,
    AWS_ENDPOINT_URL_SAGEMAKER_RUNTIME: stack.sagemakerUrl,
  }
}
