import { Duration } from 'aws-cdk-lib'
import { Metric } from 'aws-cdk-lib/aws-cloudwatch'
import type { Construct } from 'constructs'
import type { StageConfig } from '../config.ts'
import { Alarms } from './alarms.ts'
import type { Gateway } from './gateway.ts'

export class ApiAlarms extends Alarms {
  constructor(scope: Construct, id: string, props: { config: StageConfig; gateway: Gateway }) {
    super(scope, id, props)
    this.when('ServerErrors', {
      says: 'The interface answered with errors of its own (5xx)',
      metric: props.gateway.metricServerError({ period: Duration.minutes(1) }),
      atLeast: 5,
    })
    this.when('Throttled', {
      says: 'Functions were throttled: the account ran out of concurrency, and ballots or uploads may be refused',
      // Without a dimension: all functions of the account and region share the limit that was met.
      metric: new Metric({
        namespace: 'AWS/Lambda',
        metricName: 'Throttles',
        statistic: 'sum',
        period: Duration.minutes(1),
      }),
    })
  }
}
