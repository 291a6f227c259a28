import { followAlign } from './align.ts'
import { followFineTune, voteBuild } from './build.ts'
import { contribute } from './contribute.ts'
import { gatherVotes } from './gather-votes.ts'
import { openDatanet } from './open-datanet.ts'
import { payAndClaim } from './pay.ts'
import { followRelease } from './release.ts'
import type { Report, Stage } from './stage.ts'

export type PlayStep = {
  readonly id: string
  readonly title: string
  readonly run: (stage: Stage) => Promise<Record<string, unknown>>
}

/** The life of a model, step by step; each hands what it made to the next through the stage. */
export const PLAY: readonly PlayStep[] = [
  { id: 'gather-votes', title: 'Holders wrap OPEN and delegate', run: gatherVotes },
  { id: 'open-datanet', title: 'The community opens a Datanet', run: openDatanet },
  { id: 'contribute', title: 'Contributors upload signed records', run: contribute },
  { id: 'vote-build', title: 'A dataset is frozen and a build is voted', run: voteBuild },
  { id: 'fine-tune', title: 'The passed vote fine-tunes the model', run: followFineTune },
  { id: 'align', title: 'Validators judge, and the model is aligned', run: followAlign },
  { id: 'release', title: 'The released model gets its public name', run: followRelease },
  { id: 'pay', title: 'Paid answers are split by usefulness and claimed', run: payAndClaim },
]

export function newReport(): Report {
  return { ok: false, steps: [], refusals: [], scores: {} }
}

/** Plays one step and writes down how it went. @throws what the step threw, after writing it down */
export async function playStep(stage: Stage, step: PlayStep): Promise<void> {
  const startedAt = Date.now()
  const entry = (ok: boolean, figures: Record<string, unknown>) =>
    stage.report.steps.push({
      id: step.id,
      title: step.title,
      seconds: Math.round((Date.now() - startedAt) / 100) / 10,
      ok,
      figures,
    })
  try {
    entry(true, await step.run(stage))
  } catch (error) {
    entry(false, { error: error instanceof Error ? error.message : String(error) })
    throw error
  }
}
