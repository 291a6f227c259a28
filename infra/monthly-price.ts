/**
 * What a template costs a month while nobody uses it, in millionths of a US dollar (us-east-1 list prices, November
 * 2026). Only kinds that are listed may be used: a new one has to say its price here first.
 */
const USD = 1_000_000
const FIXED_USD_MICRO_PER_MONTH: Readonly<Record<string, number>> = {
  'AWS::KMS::Key': 1 * USD,
  'AWS::CloudWatch::Alarm': 0.1 * USD,
  // Paid by request, by the byte kept, or not at all.
  'AWS::ApiGateway::Account': 0,
  'AWS::ApiGateway::Deployment': 0,
  'AWS::ApiGateway::RestApi': 0,
  'AWS::ApiGateway::Stage': 0,
  'AWS::CDK::Metadata': 0,
  'AWS::CloudFront::Distribution': 0,
  'AWS::CloudFront::OriginAccessControl': 0,
  'AWS::CloudFront::ResponseHeadersPolicy': 0,
  'AWS::DynamoDB::GlobalTable': 0,
  'AWS::Events::EventBus': 0,
  'AWS::Events::Rule': 0,
  'AWS::IAM::Policy': 0,
  'AWS::IAM::Role': 0,
  'AWS::Lambda::EventInvokeConfig': 0,
  'AWS::Lambda::EventSourceMapping': 0,
  'AWS::Lambda::Function': 0,
  'AWS::Lambda::Permission': 0,
  'AWS::Logs::LogGroup': 0,
  'AWS::S3::Bucket': 0,
  'AWS::S3::BucketPolicy': 0,
  'AWS::SNS::Subscription': 0,
  'AWS::SNS::Topic': 0,
  'AWS::SNS::TopicPolicy': 0,
  'AWS::SQS::Queue': 0,
  'AWS::SQS::QueuePolicy': 0,
  'AWS::Scheduler::ScheduleGroup': 0,
  'AWS::StepFunctions::StateMachine': 0,
  'Custom::S3AutoDeleteObjects': 0,
}

/** Properties that turn something paid by request into something that is always on. */
const ALWAYS_ON =
  /"(ProvisionedConcurrencyConfig|ProvisionedThroughput|CacheClusterEnabled|ProvisionedPollerConfig)":/

type Template = {
  readonly Resources?: Readonly<Record<string, { readonly Type: string; readonly Properties?: unknown }>>
}

/** Throws for a kind without a price and for a resource that is always on. */
export function fixedMonthlyUsdMicro(template: Template): number {
  return Object.entries(template.Resources ?? {}).reduce((sum, [id, { Type, Properties }]) => {
    const price = FIXED_USD_MICRO_PER_MONTH[Type]
    if (price === undefined)
      throw new Error(`${id}: infra/monthly-price.ts does not say what ${Type} costs while idle`)
    const always = JSON.stringify(Properties ?? {}).match(ALWAYS_ON)
    if (always) throw new Error(`${id}: ${always[1]} costs money while nobody uses it`)
    return sum + price
  }, 0)
}
