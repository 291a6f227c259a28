import type { Bytes32 } from '../protocol/hex.ts'

/** One version where it is served. */
export type ServedVersion = {
  readonly version: Bytes32
  readonly endpoint: string
  readonly component: string
  readonly modelProfile: string
  readonly movedAt: number
  readonly warrantId: Bytes32
}

/** A public model name. Only a warrant moves it; the version before stays ready to take its place again. */
export type Alias = {
  readonly alias: string
  readonly datanetId: Bytes32
  readonly current: ServedVersion
  readonly previous: ServedVersion | null
  /** Put before conversations that have no system message; the Datanet's, so that the model is asked as trained. */
  readonly systemPrompt: string
  /** The component that the last move left without a use; null when there was none. */
  readonly retired: string | null
  /** Counts the moves, from 1. */
  readonly generation: number
}
