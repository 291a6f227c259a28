import { releaseInput } from '../../api/schemas/governance.ts'
import { OpenLedgerError } from '../../domain/errors.ts'
import { parseBytes32 } from '../../domain/protocol/hex.ts'
import { planRelease } from '../../domain/serving/plan-release.ts'
import { deps } from '../deps.ts'

type Event = { runId: string; attempt: number; input: unknown }

export const handler = async ({ runId, attempt, input }: Event) => {
  const { datanetId, version: versionId } = releaseInput.parse(input)
  const [datanet, version] = await Promise.all([
    deps.datanets().get(parseBytes32(datanetId)),
    deps.versions().get(parseBytes32(versionId)),
  ])
  if (datanet === null)
    throw new OpenLedgerError('not-found', 'There is no such Datanet', { seen: datanetId })
  if (version === null)
    throw new OpenLedgerError('not-found', 'There is no such version', { seen: versionId })
  if (version.lineage.datanetId !== datanetId) {
    throw new OpenLedgerError('conflict', 'The version is of another Datanet', {
      expected: datanetId,
      seen: version.lineage.datanetId,
    })
  }
  const { modelProfile } = datanet.terms
  const plan = planRelease({
    stage: deps.genesis().stage,
    artifactsBucket: deps.artifactsBucket(),
    profile: deps.modelProfile(modelProfile),
    datanetId: datanet.id,
    versionId: version.id,
    weightsKey: version.lineage.weights.key,
    runId: parseBytes32(runId),
    attempt,
  })
  return { ...plan, modelProfile }
}
