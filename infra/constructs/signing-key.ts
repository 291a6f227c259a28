import { Duration, RemovalPolicy } from 'aws-cdk-lib'
import { AccountRootPrincipal, PolicyDocument, PolicyStatement } from 'aws-cdk-lib/aws-iam'
import { type CfnKey, Key, KeySpec, KeyUsage } from 'aws-cdk-lib/aws-kms'
import type { Construct } from 'constructs'
import { access, type SigningPurpose } from '../access.ts'
import type { StageConfig } from '../config.ts'
import { roleArn, signerRoleName } from '../names.ts'

/**
 * What an account administrator may do with a signing key. `kms:Sign` is missing, and so is `kms:CreateGrant`,
 * with which anybody could be given it. Whoever changes the policy itself leaves that in CloudTrail.
 */
const ADMINISTRATION = [
  'kms:CancelKeyDeletion',
  'kms:DescribeKey',
  'kms:DisableKey',
  'kms:EnableKey',
  'kms:GetKeyPolicy',
  'kms:GetKeyRotationStatus',
  'kms:ListGrants',
  'kms:ListKeyPolicies',
  'kms:ListResourceTags',
  'kms:PutKeyPolicy',
  'kms:RevokeGrant',
  'kms:ScheduleKeyDeletion',
  'kms:TagResource',
  'kms:UntagResource',
  'kms:UpdateKeyDescription',
]

/**
 * A key pair that signs for one purpose. Only the roles whose row in access.ts names the purpose may sign: the
 * policy tells them by name, and each needs its own grant as well.
 */
export class SigningKey extends Key {
  constructor(scope: Construct, id: string, props: { config: StageConfig; purpose: SigningPurpose }) {
    const { config, purpose } = props
    super(scope, id, {
      description: `${config.stage}: signs ${purpose}`,
      keySpec: KeySpec.ECC_SECG_P256K1,
      keyUsage: KeyUsage.SIGN_VERIFY,
      policy: signingPolicy(scope, config.stage, purpose),
      // Nothing that the old key signed is invalid after a deletion, but nothing more is signed: leave time to notice.
      pendingWindow: Duration.days(config.retain ? 30 : 7),
      removalPolicy: config.retain ? RemovalPolicy.RETAIN : RemovalPolicy.DESTROY,
    })
    // C2SP signed notes are Ed25519 (RFC 8032). KMS has it since 2025; the CDK's enumeration does not name it yet.
    if (purpose === 'log-head') (this.node.defaultChild as CfnKey).keySpec = 'ECC_NIST_EDWARDS25519'
  }
}

/** The roles that sign for this purpose: entries by name, or the role that they share. */
export function signersOf(purpose: SigningPurpose): string[] {
  const rows = Object.entries(access).filter(([, row]) => row.sign?.includes(purpose))
  return [...new Set(rows.map(([entry, row]) => row.role ?? entry))].sort()
}

/**
 * The signers are named by a condition, not as principals: they are made after the key, and KMS refuses principals
 * that do not exist yet. The account as principal also means that a grant on the role's side is needed.
 */
function signingPolicy(scope: Construct, stage: string, purpose: SigningPurpose): PolicyDocument {
  const signers = signersOf(purpose).map(name => roleArn(scope, signerRoleName(stage, name)))
  const account = [new AccountRootPrincipal()]
  const statements = [
    new PolicyStatement({
      sid: 'Administer',
      principals: account,
      actions: ADMINISTRATION,
      resources: ['*'],
    }),
    new PolicyStatement({
      sid: 'ReadPublicKey',
      principals: account,
      actions: ['kms:GetPublicKey'],
      resources: ['*'],
    }),
  ]
  if (signers.length > 0) {
    statements.push(
      new PolicyStatement({
        sid: 'Sign',
        principals: account,
        actions: ['kms:Sign'],
        resources: ['*'],
        conditions: { ArnEquals: { 'aws:PrincipalArn': signers } },
      }),
    )
  }
  return new PolicyDocument({ statements })
}
