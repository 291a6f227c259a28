import type { ServedVersion } from './alias.ts'
import type { ActivityBook, AliasBook, ModelCopies } from './ports.ts'

export type SleepIdleModelsDeps = {
  readonly aliases: AliasBook
  readonly activity: ActivityBook
  readonly copies: ModelCopies
  /** By model profile. */
  readonly idleSeconds: (modelProfile: string) => number
}

/**
 * Takes every served component to zero copies that nobody has asked for as long as its profile says; the
 * instances below go with the last copy. The next request wakes it.
 * @returns the components that were put to sleep
 */
export async function sleepIdleModels(deps: SleepIdleModelsDeps, now: number): Promise<string[]> {
  const aliases = await deps.aliases.list()
  const served = aliases.flatMap(({ current, previous }) =>
    previous === null ? [current] : [current, previous],
  )
  const asleep = await Promise.all(served.map(one => sleepIfIdle(deps, one, now)))
  return asleep.filter(component => component !== null)
}

async function sleepIfIdle(
  deps: SleepIdleModelsDeps,
  served: ServedVersion,
  now: number,
): Promise<string | null> {
  const lastUsed = (await deps.activity.lastUsed(served.component)) ?? served.movedAt
  if (now - lastUsed < deps.idleSeconds(served.modelProfile) * 1_000) return null
  const wanted = await deps.copies.wanted(served.component)
  if (wanted === null || wanted === 0) return null
  await deps.copies.setWanted(served.component, 0)
  return served.component
}
