import { parseBytes32 } from '../../domain/protocol/hex.ts'
import { planSettlement } from '../../domain/rewards/plan-settlement.ts'
import { deps } from '../deps.ts'

type Event = { datanetId: string; period: number; execution: string }

/** Closes the period and plans the measurement, unless it was measured before. */
export const handler = (event: Event) =>
  planSettlement(
    {
      aliases: deps.aliases(),
      usage: deps.usage(),
      versions: deps.versions(),
      datasets: deps.datasets(),
      datanets: deps.datanets(),
      settlements: deps.settlements(),
      measurements: deps.measurements(),
      claims: deps.rewardClaims(),
      artifacts: deps.artifacts(),
      files: deps.publicFiles(),
      periodSeconds: deps.periodSeconds(),
      rehearsal: deps.genesis().rehearsal,
      jobFacts: deps.jobFacts,
    },
    { ...event, datanetId: parseBytes32(event.datanetId), now: Date.now() },
  )
