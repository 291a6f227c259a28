import { CfnOutput, Duration, Stack, type StackProps, Validations } from 'aws-cdk-lib'
import {
  Distribution,
  HeadersFrameOption,
  HeadersReferrerPolicy,
  ResponseHeadersPolicy,
  ViewerProtocolPolicy,
} from 'aws-cdk-lib/aws-cloudfront'
import { S3BucketOrigin } from 'aws-cdk-lib/aws-cloudfront-origins'
import type { IBucket } from 'aws-cdk-lib/aws-s3'
import type { Construct } from 'constructs'
import type { StageConfig } from '../config.ts'
import { PrivateBucket } from '../constructs/private-bucket.ts'

/** The pages: static files behind CloudFront, which is paid by request. */
export class ConsoleStack extends Stack {
  constructor(scope: Construct, id: string, props: StackProps & { config: StageConfig }) {
    super(scope, id, props)
    const { config } = props
    const accessLogs = new PrivateBucket(this, 'AccessLogs', {
      config,
      keepReplacedDays: 1,
      expireAfterDays: 90,
    })
    const pages = new PrivateBucket(this, 'Pages', { config, accessLogs, keepReplacedDays: 30 })
    const distribution = new Distribution(this, 'Distribution', {
      comment: `OpenLedger ${config.stage}`,
      defaultRootObject: 'index.html',
      defaultBehavior: {
        origin: S3BucketOrigin.withOriginAccessControl(pages as IBucket),
        viewerProtocolPolicy: ViewerProtocolPolicy.REDIRECT_TO_HTTPS,
        responseHeadersPolicy: strictHeaders(this),
      },
    })
    Validations.of(distribution).acknowledge(
      {
        id: 'AwsSolutions-CFR1',
        reason: 'The community may be anywhere; the pages are public and read-only.',
      },
      {
        id: 'AwsSolutions-CFR2',
        reason: 'A web ACL costs money while idle, and static files have nothing to inject into.',
      },
      {
        id: 'AwsSolutions-CFR3',
        reason: "Viewers' addresses are nobody's business; the bucket's own access log shows tampering.",
      },
      {
        id: 'AwsSolutions-CFR4',
        reason:
          "CloudFront's own certificate fixes the policy at TLSv1: an old browser may read public pages over it. Current ones agree on TLS 1.3, and nothing secret is sent.",
      },
    )
    new CfnOutput(this, 'PagesBucketName', { value: pages.bucketName })
    new CfnOutput(this, 'PagesUrl', { value: `https://${distribution.distributionDomainName}` })
  }
}

function strictHeaders(scope: Construct) {
  return new ResponseHeadersPolicy(scope, 'Headers', {
    securityHeadersBehavior: {
      contentSecurityPolicy: {
        override: true,
        // The pages call whichever deployment they are told of, and run nothing that is not theirs.
        contentSecurityPolicy:
          "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src https:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
      },
      contentTypeOptions: { override: true },
      frameOptions: { frameOption: HeadersFrameOption.DENY, override: true },
      referrerPolicy: { referrerPolicy: HeadersReferrerPolicy.NO_REFERRER, override: true },
      strictTransportSecurity: {
        accessControlMaxAge: Duration.days(365),
        includeSubdomains: true,
        override: true,
      },
    },
  })
}
