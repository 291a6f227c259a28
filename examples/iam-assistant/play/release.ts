import { nextRun } from './align.ts'
import { followRun } from './build.ts'
import { ALIAS, PlayFailed, type Stage, until } from './stage.ts'

const START_SECONDS = 120
const SERVED_SECONDS = 300

/** Step 6: the version that the gates left is released, and the alias answers. */
export async function followRelease(stage: Stage): Promise<Record<string, unknown>> {
  const runId = await until('The release starts', START_SECONDS, () => nextRun(stage, 'release'))
  const run = await followRun(stage, runId)
  if (run.state !== 'succeeded') throw new PlayFailed(`The release ended ${run.state}`)
  const model = await until('The alias is listed', SERVED_SECONDS, async () => {
    const { data } = await stage.session.client.call('listModels')
    return data.find(one => one.id === ALIAS)
  })
  if (stage.made.servedVersion !== undefined && model.version !== stage.made.servedVersion) {
    throw new PlayFailed(`The alias serves ${model.version}, not ${stage.made.servedVersion}`)
  }
  return { runId, alias: ALIAS, version: model.version }
}
