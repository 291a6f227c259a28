import { RemovalPolicy, Stack } from 'aws-cdk-lib'
import { Effect, PolicyStatement, Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam'
import { ScheduleGroup } from 'aws-cdk-lib/aws-scheduler'
import { Construct } from 'constructs'
import type { StageConfig } from '../config.ts'
import { machineArn, scheduleGroupName, schedulerRoleName } from '../names.ts'

/** One-time schedules, one a vote, that start close-vote when it ends, and the role under which they do. */
export class CloseSchedules extends Construct {
  constructor(scope: Construct, id: string, props: { config: StageConfig }) {
    super(scope, id)
    const { stage, retain } = props.config
    new ScheduleGroup(this, 'Group', {
      scheduleGroupName: scheduleGroupName(stage),
      removalPolicy: retain ? RemovalPolicy.RETAIN : RemovalPolicy.DESTROY,
    })
    new Role(this, 'Role', {
      roleName: schedulerRoleName(stage),
      description: `${stage}: starts close-vote at the end of a vote`,
      // Without the condition another account's schedule could name this role (confused deputy).
      assumedBy: new ServicePrincipal('scheduler.amazonaws.com', {
        conditions: { StringEquals: { 'aws:SourceAccount': Stack.of(this).account } },
      }),
    }).addToPolicy(
      new PolicyStatement({
        effect: Effect.ALLOW,
        actions: ['states:StartExecution'],
        resources: [machineArn(this, stage, 'close-vote')],
      }),
    )
  }
}
