import {
  CreateEndpointCommand,
  CreateEndpointConfigCommand,
  CreateModelCommand,
  CreateTrainingJobCommand,
  DescribeEndpointCommand,
  DescribeInferenceComponentCommand,
  DescribeModelCommand,
  DescribeTrainingJobCommand,
  ResourceInUse,
  SageMakerServiceException,
  StopTrainingJobCommand,
} from '@aws-sdk/client-sagemaker'
import { aStage, aTrainingJob, isOver, jobWhen, type Stage } from './sagemaker-stage.ts'

let stage: Stage
beforeAll(async () => {
  stage = await aStage()
}, 60_000)
afterAll(() => stage?.stop(), 30_000)

const create = (input: ReturnType<typeof aTrainingJob>) =>
  stage.sagemaker().send(new CreateTrainingJobCommand(input))
/** The error of a request that must be refused. */
const refusal = async (answer: Promise<unknown>): Promise<SageMakerServiceException> => {
  const error = await answer.then(
    () => new Error('it was accepted'),
    (reason: unknown) => reason,
  )
  if (!(error instanceof SageMakerServiceException)) throw error
  return error
}
/** A request that the SDK's types would not let out. */
const raw = async (operation: string, body: string, headers: Record<string, string> = {}) => {
  const answer = await fetch(stage.url(), {
    method: 'POST',
    headers: { 'x-amz-target': `SageMaker.${operation}`, ...headers },
    body,
  })
  return { status: answer.status, body: (await answer.json()) as { __type: string; message: string } }
}

describe('the name of a training job', () => {
  test.each([
    ['of 64 characters', 'a'.repeat(64), /Member must have length less than or equal to 63/],
    ['with an underscore', 'run_1', /Member must satisfy regular expression pattern/],
    ['that begins with a dash', '-run', /Member must satisfy regular expression pattern/],
    ['that ends with a dash', 'run-', /Member must satisfy regular expression pattern/],
    ['that is empty', '', /Member must have length greater than or equal to 1/],
  ])('%s is refused in the words of AWS', async (_case, name, message) => {
    const error = await refusal(create(aTrainingJob(name)))
    expect(error.name).toBe('ValidationException')
    expect(error.message).toMatch(/^\d validation errors? detected: Value '.*' at 'trainingJobName'/)
    expect(error.message).toMatch(message)
  })

  test('of 63 characters is taken, once: a finished job keeps it', async () => {
    const name = 'x'.repeat(63)
    await create(aTrainingJob(name, { steps: '1' }))
    await jobWhen(stage, name, isOver)
    const error = await refusal(create(aTrainingJob(name)))
    expect(error).toBeInstanceOf(ResourceInUse)
    expect(error.message).toContain(`arn:aws:sagemaker:us-east-1:000000000000:training-job/${name}`)
  })

  test('is given to one of two requests at the same time', async () => {
    const both = await Promise.allSettled([
      create(aTrainingJob('twins', { steps: '1' })),
      create(aTrainingJob('twins', { steps: '1' })),
    ])
    expect(both.map(result => result.status).sort()).toEqual(['fulfilled', 'rejected'])
  })
})

describe('a training job is refused', () => {
  const base = aTrainingJob('refused')
  const channel = base.InputDataConfig![0]!
  test.each<[string, Partial<ReturnType<typeof aTrainingJob>>, RegExp]>([
    ['without a role', { RoleArn: undefined as never }, /Value null at 'roleArn'/],
    [
      'with a role that is no ARN',
      { RoleArn: 'the-role-of-training-jobs' },
      /'roleArn' failed .* regular expression/,
    ],
    ['without an output place', { OutputDataConfig: undefined as never }, /Value null at 'outputDataConfig'/],
    ['without a stopping condition', { StoppingCondition: undefined }, /Value null at 'stoppingCondition'/],
    [
      'on an instance type that there is not',
      { ResourceConfig: { InstanceType: 'ml.g99.xlarge' as never, InstanceCount: 1, VolumeSizeInGB: 1 } },
      /'resourceConfig.instanceType' failed to satisfy constraint: Member must satisfy enum value set/,
    ],
    [
      'with an encrypted volume on local NVMe',
      {
        ResourceConfig: {
          InstanceType: 'ml.g5.xlarge',
          InstanceCount: 1,
          VolumeSizeInGB: 1,
          VolumeKmsKeyId: 'alias/key',
        },
      },
      /VolumeKmsKeyId is not supported/,
    ],
    [
      'with a hyperparameter of more than 2500 characters',
      { HyperParameters: { ...base.HyperParameters, text: 'x'.repeat(2501) } },
      /'hyperParameters.text.member' failed .* length less than or equal to 2500/,
    ],
    ['with two channels of one name', { InputDataConfig: [channel, channel] }, /Duplicate channel names/],
    [
      'with a channel that holds nothing',
      {
        InputDataConfig: [
          {
            ChannelName: 'train',
            DataSource: { S3DataSource: { S3DataType: 'S3Prefix', S3Uri: 's3://artifacts/nothing/' } },
          },
        ],
      },
      /^No S3 objects found under S3 URL "s3:\/\/artifacts\/nothing\/" given in input data source/,
    ],
    ['on spot without a maximum wait', { EnableManagedSpotTraining: true }, /Invalid MaxWaitTimeInSeconds/],
    [
      'with a maximum wait but not on spot',
      { StoppingCondition: { MaxRuntimeInSeconds: 1, MaxWaitTimeInSeconds: 2 } },
      /MaxWaitTimeInSeconds must not be present/,
    ],
    [
      'outside of script mode, which this stand-in does not run',
      { HyperParameters: { epochs: '1' } },
      /does not run training without script mode/,
    ],
  ])('%s', async (_case, changes, message) => {
    const error = await refusal(create({ ...base, ...changes }))
    expect(error.name).toBe('ValidationException')
    expect(error.message).toMatch(message)
  })

  test('with a hyperparameter that is no string', async () => {
    const request = { ...base, HyperParameters: { ...base.HyperParameters, steps: 4 } }
    expect(await raw('CreateTrainingJob', JSON.stringify(request))).toMatchObject({
      status: 400,
      body: {
        __type: 'SerializationException',
        message: expect.stringContaining('can not be converted to a String'),
      },
    })
  })

  test('with a misspelled member, which Step Functions would refuse', async () => {
    const answer = await raw('CreateTrainingJob', JSON.stringify({ ...base, EnableManagedSpotTrainig: true }))
    expect(answer.body.message).toContain("Unknown member 'EnableManagedSpotTrainig'")
  })

  test('with every complaint at once', async () => {
    const answer = await raw('CreateTrainingJob', JSON.stringify({ TrainingJobName: 'a_b' }))
    expect(answer.body.message).toMatch(/^3 validation errors detected: .*; .*; /)
  })
})

describe('what there is not', () => {
  test.each([
    [
      'DescribeTrainingJob',
      new DescribeTrainingJobCommand({ TrainingJobName: 'none' }),
      'Requested resource not found.',
    ],
    [
      'StopTrainingJob',
      new StopTrainingJobCommand({ TrainingJobName: 'none' }),
      'Requested resource not found.',
    ],
    ['DescribeModel', new DescribeModelCommand({ ModelName: 'none' }), 'Could not find model "arn:'],
    [
      'DescribeEndpoint',
      new DescribeEndpointCommand({ EndpointName: 'none' }),
      'Could not find endpoint "arn:',
    ],
    [
      'DescribeInferenceComponent',
      new DescribeInferenceComponentCommand({ InferenceComponentName: 'none' }),
      'Could not find inference component "arn:',
    ],
  ])('%s says so by a ValidationException, as AWS does', async (_operation, command, message) => {
    const error = await refusal(stage.sagemaker().send(command as DescribeModelCommand))
    expect(error.name).toBe('ValidationException')
    expect(error.message).toContain(message)
  })
})

describe('hosting is refused', () => {
  const role = 'arn:aws:iam::000000000000:role/serving'
  const config = (changes: object) =>
    stage.sagemaker().send(
      new CreateEndpointConfigCommand({
        EndpointConfigName: 'refused',
        ExecutionRoleArn: role,
        ProductionVariants: [
          { VariantName: 'main', InstanceType: 'ml.g5.xlarge', InitialInstanceCount: 1, ...changes },
        ],
      }),
    )
  test.each([
    ['for a model that there is not', { ModelName: 'none' }, /^Could not find model "arn:/],
    ['without an instance type', { InstanceType: undefined }, /InstanceType is required/],
    [
      'with fewer than one instance at the beginning',
      { InitialInstanceCount: 0 },
      /'productionVariants.1.member.initialInstanceCount' .* greater than or equal to 1$/,
    ],
  ])('%s', async (_case, changes, message) => {
    expect((await refusal(config(changes))).message).toMatch(message)
  })

  test('without a role for inference components', async () => {
    const command = new CreateEndpointConfigCommand({
      EndpointConfigName: 'refused',
      ProductionVariants: [{ VariantName: 'main', InstanceType: 'ml.g5.xlarge', InitialInstanceCount: 1 }],
    })
    expect((await refusal(stage.sagemaker().send(command))).message).toMatch(/ExecutionRoleArn is required/)
  })

  test('for a prefix of weights that does not end with a slash', async () => {
    const source = {
      S3Uri: 's3://artifacts/weights',
      S3DataType: 'S3Prefix',
      CompressionType: 'None',
    } as const
    const command = new CreateModelCommand({
      ModelName: 'refused',
      ExecutionRoleArn: role,
      PrimaryContainer: { Image: 'vllm', ModelDataSource: { S3DataSource: source } },
    })
    expect((await refusal(stage.sagemaker().send(command))).message).toMatch(/must end with a slash/)
  })

  test('for an endpoint without its configuration', async () => {
    const command = new CreateEndpointCommand({ EndpointName: 'refused', EndpointConfigName: 'none' })
    expect((await refusal(stage.sagemaker().send(command))).message).toMatch(
      /^Could not find endpoint configuration "arn:/,
    )
  })
})

describe('the server', () => {
  test('knows no other operation', async () => {
    expect(await raw('CreateNotebookInstance', '{}')).toMatchObject({
      status: 400,
      body: { __type: 'UnknownOperationException' },
    })
  })

  test('turns a browser away, whose page could otherwise start jobs', async () => {
    const answer = await raw('ListTrainingJobs', '{}', { origin: 'https://example.org' })
    expect(answer.status).toBe(403)
  })

  test('refuses a body that is not JSON, and one that is too large', async () => {
    expect((await raw('ListTrainingJobs', '{')).body.__type).toBe('SerializationException')
    expect((await raw('ListTrainingJobs', ' '.repeat(1024 * 1024 + 1))).status).toBe(413)
  })
})
