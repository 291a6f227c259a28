import type { JsonRpcProvider } from 'ethers'
import type { Session } from '../../../cli/actions/session.ts'
import type { ImportedArtifacts } from '../../../cli/artifacts/import-artifacts.ts'
import type { Material, PlaySize } from '../material.ts'
import type { People } from '../people.ts'
import type { Taste } from '../scripted-judge.ts'

/** What the steps of the play share: where they play, who plays, and what is written down. */
export type Stage = {
  readonly session: Session
  readonly chain: JsonRpcProvider
  readonly people: People
  readonly material: Material
  readonly size: PlaySize
  readonly modelProfile: string
  /** What the operator brought into the artifact bucket. */
  readonly artifacts: ImportedArtifacts
  /** Gives people gas and OPEN: the treasury of a local chain, or a funder's wallet. */
  readonly fund: (gifts: readonly { address: string; openWei: bigint }[]) => Promise<void>
  /** The key that the paying holder buys, where the profile has one; else it is made when it is bought. */
  readonly apiKey: string | undefined
  /** The operator's own attempt to start a pipeline by hand, to see it refused; null without credentials. */
  readonly startByHand:
    | ((machine: string, input: unknown) => Promise<{ error: string; cause: string }>)
    | null
  /** Exact match that a proposal asks the tuned model to be ahead, and the margin that a guard may lose. */
  readonly gate: { readonly targetLowerBoundPpm: number; readonly guardMarginPpm: number }
  /** Whether the tuned model has to know at least as much as the hand-written rule. */
  readonly mustMatchRule: boolean
  /** What the scripted validators call ethical, where it is not the rubric's. */
  readonly taste: Taste | undefined
  readonly say: (line: string) => void
  /** What later steps need of earlier ones. */
  readonly made: Made
  readonly report: Report
}

export type Made = {
  datanetId?: string
  dataset?: { id: string; trainRoot: string; trainRecords: number; logSize: number }
  buildProposalId?: string
  fineTuneRunId?: string
  alignRunId?: string
  servedVersion?: string
  submissions?: Record<string, string>
}

export type Score = { exactMatch: number; low: number; high: number; n: number }
export type Report = {
  ok: boolean
  steps: { id: string; title: string; seconds: number; ok: boolean; figures: Record<string, unknown> }[]
  refusals: { id: string; expected: string; seen: string; ok: boolean }[]
  scores: Record<string, Score>
}

export const ALIAS = 'iam-assistant'
export const LICENSE = 'CC-BY-4.0'

/** Writes down that something was refused as documented, or was not. */
export function noteRefusal(stage: Stage, id: string, expected: string, seen: string): void {
  stage.report.refusals.push({ id, expected, seen, ok: expected === seen })
  stage.say(
    expected === seen
      ? `Refused as it should be: ${id} (${seen})`
      : `NOT refused as documented: ${id}: ${seen}`,
  )
}

/** The code with which `attempt` is refused; `accepted` when it is not. */
export async function refusalOf(attempt: () => Promise<unknown>): Promise<string> {
  try {
    await attempt()
    return 'accepted'
  } catch (error) {
    return (error as { code?: string }).code ?? (error instanceof Error ? error.message : String(error))
  }
}

export class PlayFailed extends Error {
  override readonly name = 'PlayFailed'
}

/** Looks every half second until `look` has something to show. @throws PlayFailed when the time is over */
export async function until<T>(
  what: string,
  seconds: number,
  look: () => Promise<T | undefined>,
): Promise<T> {
  const deadline = Date.now() + seconds * 1_000
  for (;;) {
    const seen = await look()
    if (seen !== undefined) return seen
    if (Date.now() > deadline) throw new PlayFailed(`${what}: not within ${seconds} seconds`)
    await new Promise(done => setTimeout(done, 500))
  }
}
