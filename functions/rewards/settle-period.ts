import { parseBytes32, parseSha256Hex } from '../../domain/protocol/hex.ts'
import { settlePeriodOnce } from '../../domain/rewards/settle-period.ts'
import { deps } from '../deps.ts'
import { logger } from '../http/endpoint.ts'

type Event = { datanetId: string; period: number; measured: { key: string; jobName: string } | null }

/** Splits a period to the last unit, publishes the file and logs it; a period that is settled stays as it is. */
export const handler = async ({ datanetId, period, measured }: Event) => {
  const settled = await settlePeriodOnce(
    {
      genesis: deps.genesis(),
      aliases: deps.aliases(),
      usage: deps.usage(),
      versions: deps.versions(),
      datasets: deps.datasets(),
      datanets: deps.datanets(),
      submissions: deps.submissions(),
      runs: deps.runs(),
      rounds: deps.rounds(),
      settlements: deps.settlements(),
      measurements: deps.measurements(),
      claims: deps.rewardClaims(),
      artifacts: deps.artifacts(),
      files: deps.publicFiles(),
      log: deps.log(),
    },
    {
      datanetId: parseBytes32(datanetId),
      period,
      measured: measured === null ? null : { key: parseSha256Hex(measured.key), jobName: measured.jobName },
      now: Date.now(),
    },
  )
  const { root, file, logIndex } = settled
  const facts = { period, root, file: file.key, logIndex, revenueWei: String(settled.revenueWei) }
  logger.info('period.settled', facts)
  return { ...facts, totalWei: String(settled.totalWei) }
}
