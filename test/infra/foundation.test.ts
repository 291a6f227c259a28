import { Match } from 'aws-cdk-lib/assertions'
import { SIGNING_PURPOSES, TABLES } from '../../infra/access.ts'
import { signersOf } from '../../infra/constructs/signing-key.ts'
import { ACCOUNT, asList, resources, type Statement, stage, template } from './support.ts'

const dev = () => template(stage('dev'), 'foundation')
const prod = () => template(stage('prod'), 'foundation')
type KeyProperties = { Description: string; KeySpec?: string; KeyPolicy: { Statement: Statement[] } }
const signingKeys = () =>
  resources(dev(), 'AWS::KMS::Key')
    .map(([, key]) => key.Properties as KeyProperties)
    .filter(key => key.Description.includes('signs'))

test('every table has point-in-time recovery, the customer key, TTL and the index by kind, and is paid by request', () => {
  dev().resourceCountIs('AWS::DynamoDB::GlobalTable', TABLES.length)
  dev().allResourcesProperties('AWS::DynamoDB::GlobalTable', {
    BillingMode: 'PAY_PER_REQUEST',
    KeySchema: [
      { AttributeName: 'pk', KeyType: 'HASH' },
      { AttributeName: 'sk', KeyType: 'RANGE' },
    ],
    GlobalSecondaryIndexes: [Match.objectLike({ IndexName: 'byKind' })],
    TimeToLiveSpecification: { AttributeName: 'expiresAt', Enabled: true },
    SSESpecification: { SSEEnabled: true, SSEType: 'KMS' },
    Replicas: [
      Match.objectLike({
        PointInTimeRecoverySpecification: { PointInTimeRecoveryEnabled: true },
        SSESpecification: { KMSMasterKeyId: Match.anyValue() },
      }),
    ],
  })
})

test('prod keeps tables, buckets and keys when its stack is deleted; dev leaves nothing behind', () => {
  for (const type of ['AWS::DynamoDB::GlobalTable', 'AWS::S3::Bucket', 'AWS::KMS::Key']) {
    expect(resources(prod(), type).map(([, resource]) => resource.DeletionPolicy)).not.toContain('Delete')
    expect(resources(dev(), type).map(([, resource]) => resource.DeletionPolicy)).not.toContain('Retain')
  }
  prod().allResourcesProperties('AWS::DynamoDB::GlobalTable', {
    Replicas: [Match.objectLike({ DeletionProtectionEnabled: true })],
  })
  prod().resourceCountIs('Custom::S3AutoDeleteObjects', 0)
})

test('no bucket is public, each is versioned and encrypted, and each refuses requests without TLS 1.2', () => {
  dev().allResourcesProperties('AWS::S3::Bucket', {
    PublicAccessBlockConfiguration: {
      BlockPublicAcls: true,
      BlockPublicPolicy: true,
      IgnorePublicAcls: true,
      RestrictPublicBuckets: true,
    },
    VersioningConfiguration: { Status: 'Enabled' },
    BucketEncryption: Match.anyValue(),
  })
  dev().allResourcesProperties('AWS::S3::BucketPolicy', {
    PolicyDocument: {
      Statement: Match.arrayWith([
        Match.objectLike({ Effect: 'Deny', Condition: { Bool: { 'aws:SecureTransport': 'false' } } }),
        Match.objectLike({ Effect: 'Deny', Condition: { NumericLessThan: { 's3:TlsVersion': 1.2 } } }),
      ]),
    },
  })
})

test('an arrived upload is told to the queue, whose failures are kept apart', () => {
  const [, uploads] = resources(dev(), 'AWS::S3::Bucket').find(([id]) => id.startsWith('Uploads')) ?? []
  expect(uploads?.Properties.NotificationConfiguration).toEqual({
    QueueConfigurations: [
      {
        Event: 's3:ObjectCreated:*',
        Queue: { 'Fn::GetAtt': [expect.stringMatching(/^UploadQueue/), 'Arn'] },
      },
    ],
  })
  dev().hasResourceProperties('AWS::SQS::Queue', {
    RedrivePolicy: { maxReceiveCount: 5, deadLetterTargetArn: Match.anyValue() },
  })
  dev().hasResourceProperties('AWS::SQS::QueuePolicy', {
    PolicyDocument: {
      Statement: Match.arrayWith([
        Match.objectLike({
          Effect: 'Allow',
          Principal: { Service: 's3.amazonaws.com' },
          Condition: { StringEquals: { 'aws:SourceAccount': ACCOUNT } },
        }),
      ]),
    },
  })
})

test('each purpose has its own key: secp256k1 where Ethereum verifies, Ed25519 for the log', () => {
  const specs = Object.fromEntries(
    signingKeys().map(key => [key.Description.replace('dev: signs ', ''), key.KeySpec]),
  )
  expect(specs).toEqual({
    receipt: 'ECC_SECG_P256K1',
    warrant: 'ECC_SECG_P256K1',
    payout: 'ECC_SECG_P256K1',
    'log-head': 'ECC_NIST_EDWARDS25519',
  })
})

test('a key policy lets its named signers sign, and nobody else: not by name, not by grant, not as administrator', () => {
  for (const purpose of SIGNING_PURPOSES) {
    const key = signingKeys().find(({ Description }) => Description === `dev: signs ${purpose}`)
    const signing = (key?.KeyPolicy.Statement ?? []).filter(statement =>
      asList(statement.Action).some(
        action => ['kms:*', 'kms:Sign', 'kms:CreateGrant'].includes(action) || action.includes('Sign'),
      ),
    )
    const names = signersOf(purpose).map(name => `arn:aws:iam::${ACCOUNT}:role/dev-${name.replace('/', '-')}`)
    if (names.length === 0) expect(signing).toEqual([])
    else {
      expect(signing).toHaveLength(1)
      expect(signing[0]?.Action).toBe('kms:Sign')
      expect(signing[0]?.Condition).toEqual({
        ArnEquals: { 'aws:PrincipalArn': names },
      })
    }
  }
})

test('the role of the schedules starts close-vote and nothing else', () => {
  dev().hasResourceProperties('AWS::IAM::Role', { RoleName: 'dev-close-vote-scheduler' })
  dev().hasResourceProperties('AWS::IAM::Policy', {
    PolicyDocument: {
      Statement: [
        {
          Action: 'states:StartExecution',
          Effect: 'Allow',
          Resource: `arn:aws:states:eu-central-1:${ACCOUNT}:stateMachine:dev-close-vote`,
        },
      ],
    },
  })
})
