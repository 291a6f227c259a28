import { CreateEventSourceMappingCommand, LambdaClient } from '@aws-sdk/client-lambda'
import { PutBucketNotificationConfigurationCommand, S3Client } from '@aws-sdk/client-s3'
import { ListExecutionsCommand, SFNClient } from '@aws-sdk/client-sfn'
import {
  CreateQueueCommand,
  GetQueueAttributesCommand,
  SendMessageCommand,
  SQSClient,
} from '@aws-sdk/client-sqs'
import type { Bytes32 } from '../../domain/protocol/hex.ts'
import { handler as getSubmission } from '../../functions/data/get-submission.ts'
import { handler as logGenesis } from '../../functions/data/log-genesis.ts'
import { deps } from '../../functions/deps.ts'
import { callRoute } from '../support/call-route.ts'
import { aContribution, someRecords } from '../support/contributions.ts'
import { aDatanet, put, registered, vouchFor } from '../support/data-stage.ts'
import { deployFunctions, deployMachine } from '../support/deploy.ts'
import { EMULATOR_LIMIT_MS, startTestAws, TEST_LIMIT_MS, type TestAws } from '../support/emulator.ts'
import { aStage, walletOf } from '../support/governance-stage.ts'

/** The whole way of an upload on the emulator: S3 event, queue, function, machine. */

const { genesis } = aStage()
let aws: TestAws
let machine: string
let queueUrl: string
beforeAll(async () => {
  aws = await startTestAws()
  await callRoute(logGenesis)
  const tasks = [
    'data/inspect-submission',
    'data/compare-records',
    'data/commit-submission',
    'data/sign-receipt',
  ]
  machine = await deployMachine('intake', await deployFunctions([...tasks, 'training/record-failure']))
  process.env.INTAKE_MACHINE_ARN = machine
  const { 'data/start-intake': starter } = await deployFunctions(['data/start-intake'])
  const sqs = new SQSClient({})
  queueUrl = (await sqs.send(new CreateQueueCommand({ QueueName: 'uploads' }))).QueueUrl!
  const { Attributes } = await sqs.send(
    new GetQueueAttributesCommand({ QueueUrl: queueUrl, AttributeNames: ['QueueArn'] }),
  )
  await new LambdaClient({}).send(
    new CreateEventSourceMappingCommand({
      FunctionName: starter,
      EventSourceArn: Attributes?.QueueArn,
      BatchSize: 10,
      FunctionResponseTypes: ['ReportBatchItemFailures'],
    }),
  )
  await new S3Client({ forcePathStyle: true }).send(
    new PutBucketNotificationConfigurationCommand({
      Bucket: process.env.UPLOADS_BUCKET,
      NotificationConfiguration: {
        QueueConfigurations: [{ QueueArn: Attributes?.QueueArn, Events: ['s3:ObjectCreated:*'] }],
      },
    }),
  )
}, 2 * EMULATOR_LIMIT_MS)
afterAll(() => aws?.stop())

async function decided(submissionId: Bytes32) {
  for (;;) {
    const { body } = await callRoute(getSubmission, { params: { id: submissionId } })
    if (body.receipt !== null) return body
    await new Promise(resolve => setTimeout(resolve, 200))
  }
}
const executions = async () =>
  (await new SFNClient({}).send(new ListExecutionsCommand({ stateMachineArn: machine }))).executions ?? []

test(
  'an upload decides itself: the event starts the machine, which ends in a logged outcome',
  async () => {
    const datanetId = await aDatanet('machine')
    const wallet = walletOf('uma')
    await vouchFor(wallet)
    const contribution = await aContribution({ genesis, datanetId, wallet, records: someRecords(8, 'uma') })
    const { submissionId, upload } = await registered(contribution)
    expect((await put(upload, contribution.bytes)).status).toBe(200)
    const view = await decided(submissionId)
    expect(view).toMatchObject({ state: 'accepted', acceptedRecords: 8 })
    expect(view.logIndex).toBeGreaterThan(0)

    // S3 may tell of an object twice, and the queue may deliver twice.
    const { size } = await deps.logBook().head()
    const body = JSON.stringify({ Records: [{ s3: { object: { key: `incoming/${submissionId}` } } }] })
    const junk = JSON.stringify({ Records: [{ s3: { object: { key: 'incoming/other' } } }] })
    const sqs = new SQSClient({})
    for (const MessageBody of [body, body, junk, JSON.stringify({ Event: 's3:TestEvent' })]) {
      await sqs.send(new SendMessageCommand({ QueueUrl: queueUrl, MessageBody }))
    }
    await emptied(sqs)
    expect((await deps.logBook().head()).size).toBe(size)
    expect(await executions()).toMatchObject([{ status: 'SUCCEEDED' }])
  },
  TEST_LIMIT_MS,
)

test(
  'a rejected upload ends there too, with its reason in the log',
  async () => {
    const datanetId = await aDatanet('machine rejects')
    const contribution = await aContribution({
      genesis,
      datanetId,
      wallet: walletOf('vic'),
      records: someRecords(3, 'vic'),
      changes: { recordCount: 2 },
    })
    const { submissionId, upload } = await registered(contribution)
    await put(upload, contribution.bytes)
    expect(await decided(submissionId)).toMatchObject({
      state: 'rejected',
      reasons: [{ code: 'count-mismatch' }],
    })
  },
  TEST_LIMIT_MS,
)

async function emptied(sqs: SQSClient) {
  const AttributeNames = ['ApproximateNumberOfMessages', 'ApproximateNumberOfMessagesNotVisible'] as const
  for (;;) {
    const { Attributes } = await sqs.send(
      new GetQueueAttributesCommand({ QueueUrl: queueUrl, AttributeNames: [...AttributeNames] }),
    )
    if (AttributeNames.every(name => Attributes?.[name] === '0')) return
    await new Promise(resolve => setTimeout(resolve, 200))
  }
}
