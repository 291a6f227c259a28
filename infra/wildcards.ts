import {
  type CfnResource,
  type IPolicyValidationContext,
  CfnResource as Resource,
  Validations,
} from 'aws-cdk-lib'
import { AwsSolutionsChecks, rules } from 'cdk-nag'
import type { IConstruct } from 'constructs'

const WILDCARD_REASON = 'openledger:wildcard-reason'
type WildcardReason = { readonly finding: string; readonly reason: string }

/**
 * Says why a wildcard in the policies of `role` opens nothing. `finding` is matched against `Resource::<arn>` or
 * `Action::<action>`; ARNs of other stacks are known only at the end of the synth, so a pattern stands for them.
 */
export function explainWildcard(role: IConstruct, finding: RegExp, reason: string) {
  role.node.addMetadata(WILDCARD_REASON, { finding: finding.source, reason } satisfies WildcardReason)
}

/** AWS's own rule pack, with the written reasons turned into acknowledgements of exactly the findings they match. */
export class AcknowledgedChecks extends AwsSolutionsChecks {
  override validate(context: IPolicyValidationContext & { readonly appConstruct: IConstruct }) {
    for (const construct of context.appConstruct.node.findAll()) {
      if (Resource.isCfnResource(construct)) acknowledgeExplained(construct)
    }
    return super.validate(context)
  }
}

function acknowledgeExplained(resource: CfnResource) {
  const findings = rules.iam.IAMNoWildcardPermissions(resource)
  if (!Array.isArray(findings)) return
  const reasons = resource.node.scopes.flatMap(reasonsAt)
  for (const finding of findings) {
    const known = reasons.find(({ finding: pattern }) => new RegExp(pattern).test(finding))
    if (known)
      Validations.of(resource).acknowledge({ id: `AwsSolutions-IAM5[${finding}]`, reason: known.reason })
  }
}

function reasonsAt(scope: IConstruct): WildcardReason[] {
  return scope.node.metadata
    .filter(entry => entry.type === WILDCARD_REASON)
    .map(entry => entry.data as WildcardReason)
}
