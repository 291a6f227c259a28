import { deps } from '../deps.ts'

/** Remembers where a finished baseline evaluation lies. */
export const handler = async (event: { key: string; jobName: string; outputPath: string }) => {
  const prefix = `${event.outputPath.replace(/^s3:\/\/[^/]+\//, '')}/${event.jobName}/output/model/`
  await deps.baselines().keep(event.key, { prefix, jobName: event.jobName })
  return { prefix, jobName: event.jobName }
}
