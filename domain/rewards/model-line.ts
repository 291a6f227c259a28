import { type DatanetTerms, datanetTerms } from '../../api/schemas/governance.ts'
import { trainKey } from '../data/freeze-datanet.ts'
import type { DatanetBook, DatasetBook, FrozenDatasetRecord } from '../data/ports.ts'
import { OpenLedgerError } from '../errors.ts'
import { type Bytes32, parseBytes32, parseSha256Hex, type Sha256Hex } from '../protocol/hex.ts'
import { documentDigest } from '../protocol/ids.ts'
import type { Alias } from '../serving/alias.ts'
import type { AliasBook, UsageBook } from '../serving/ports.ts'
import type { Version, VersionBook } from '../training/ports.ts'
import type { Recipe } from '../training/recipe.ts'

export type ModelLineDeps = {
  readonly aliases: Pick<AliasBook, 'list'>
  readonly versions: Pick<VersionBook, 'get'>
  readonly datasets: Pick<DatasetBook, 'get'>
  readonly datanets: Pick<DatanetBook, 'get'>
}

/** What a Datanet earns with: the served version, the fine-tune below it, and the records that it was trained on. */
export type ModelLine = {
  readonly datanetId: Bytes32
  readonly served: Version
  readonly fineTune: Version
  readonly dataset: FrozenDatasetRecord
  readonly trainKey: string
  readonly modelProfile: string
  readonly usefulnessSet: Sha256Hex
  /** Adapters along the fine-tune, in the artifact bucket. */
  readonly snapshotsPrefix: string
}

/**
 * The line as it is measured for a period.
 * @throws OpenLedgerError not-found when nothing is served, or a part of its lineage is not there
 */
export async function modelLine(deps: ModelLineDeps, datanetId: Bytes32, period: number): Promise<ModelLine> {
  const alias = oneAlias(await deps.aliases.list(), datanetId)
  const served = await requiredVersion(deps, alias.current.version)
  let fineTune = served
  while (fineTune.lineage.kind !== 'fine-tune')
    fineTune = await requiredVersion(deps, parseBytes32(fineTune.lineage.parent))
  const { lineage } = fineTune
  const train = lineage.jobs.find(job => job.program === 'finetune')
  if (lineage.dataset === null || train === undefined)
    throw new OpenLedgerError('not-found', 'The lineage names no records that were trained on', {
      seen: fineTune.id,
    })
  const dataset = await deps.datasets.get(parseBytes32(lineage.dataset.datasetId))
  const datanet = await deps.datanets.get(datanetId)
  if (dataset === null || datanet === null)
    throw new OpenLedgerError('not-found', 'The Datanet or its frozen dataset is not there', {
      seen: lineage.dataset.datasetId,
    })
  return {
    datanetId,
    served,
    fineTune,
    dataset,
    trainKey: trainKey(dataset.id),
    modelProfile: alias.current.modelProfile,
    usefulnessSet: setOfPeriod(datanetTerms.parse(datanet.terms), period),
    snapshotsPrefix: `runs/${lineage.runId}/${train.name}/output/model/snapshots/`,
  }
}

/** The sets take turns, so that records cannot be written for the one that will be asked. */
function setOfPeriod({ usefulnessSets }: DatanetTerms, period: number): Sha256Hex {
  const { digest = '' } = usefulnessSets[period % usefulnessSets.length] ?? {}
  return parseSha256Hex(digest)
}

/** What a measurement depends on, and nothing else. */
export function measurementKey(line: ModelLine, recipe: Recipe): Sha256Hex {
  return documentDigest({
    fineTune: line.fineTune.id,
    usefulnessSet: line.usefulnessSet,
    code: recipe.code,
    settings: recipe.jobs.usefulness ?? null,
  })
}

/**
 * One file and one root pay a period, so one Datanet has to have earned it.
 * @throws OpenLedgerError conflict when several did, or another one
 */
export async function requireSoleEarner(
  deps: { usage: Pick<UsageBook, 'usageOfPeriod'>; aliases: Pick<AliasBook, 'list'> },
  datanetId: Bytes32,
  period: number,
): Promise<void> {
  const used = (await deps.usage.usageOfPeriod(period)).filter(({ chargedWei }) => chargedWei > 0n)
  const earners = new Set((used.length > 0 ? used : await deps.aliases.list()).map(line => line.datanetId))
  if (earners.size === 1 && earners.has(datanetId)) return
  throw new OpenLedgerError('conflict', 'The revenue of this period belongs to more than this Datanet', {
    expected: `usage of ${datanetId} alone`,
    seen: [...earners].sort().join(', ') || 'no served Datanet',
  })
}

function oneAlias(aliases: readonly Alias[], datanetId: Bytes32): Alias {
  const [alias] = aliases
    .filter(one => one.datanetId === datanetId)
    .sort((one, other) => (one.alias < other.alias ? -1 : 1))
  if (alias === undefined)
    throw new OpenLedgerError('not-found', 'Nothing of this Datanet is served', { seen: datanetId })
  return alias
}

async function requiredVersion(deps: Pick<ModelLineDeps, 'versions'>, id: Bytes32): Promise<Version> {
  const version = await deps.versions.get(id)
  if (version === null)
    throw new OpenLedgerError('not-found', 'The served version is not registered', { seen: id })
  return version
}
