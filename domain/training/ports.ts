import type { Lineage } from '../../api/schemas/training.ts'
import type { WarrantedMachine } from '../governance/warrant.ts'
import type { Bytes32 } from '../protocol/hex.ts'

/** One attempt of a warranted pipeline. */
export type Run = {
  readonly id: Bytes32
  readonly kind: WarrantedMachine
  readonly proposalId: Bytes32
  readonly warrantId: Bytes32
  readonly attempt: number
  /** The name of the execution; it holds the run for ever. */
  readonly execution: string
  readonly state: 'running' | 'succeeded' | 'failed' | 'gate-failed'
  readonly startedAt: number
  readonly endedAt: number | null
  readonly failure: { readonly error: string; readonly cause: string } | null
  /** Where the training job keeps its checkpoints and its progress, once planned. */
  readonly checkpointPrefix: string | null
  readonly output: Readonly<Record<string, unknown>> | null
}

export type RunBook = {
  /** Keeps the first record of a run; the same execution again changes nothing. */
  begin(run: Run): Promise<Run>
  get(id: Bytes32): Promise<Run | null>
  list(page: {
    cursor?: string | undefined
    limit?: number | undefined
  }): Promise<{ items: Run[]; cursor: string | null }>
  planned(id: Bytes32, checkpointPrefix: string): Promise<void>
  /** Ends a running run that `execution` holds; another execution, or a run that has ended, changes nothing. */
  end(
    id: Bytes32,
    execution: string,
    end: {
      state: Exclude<Run['state'], 'running'>
      endedAt: number
      failure: Run['failure']
      output: Run['output']
    },
  ): Promise<void>
}

export type Version = {
  readonly id: Bytes32
  readonly lineage: Lineage
  readonly createdAt: number
  readonly promoted: boolean
}

export type VersionBook = {
  /** Keeps a version; its id is the hash of its lineage, so keeping it again changes nothing. */
  keep(version: Version): Promise<Version>
  get(id: Bytes32): Promise<Version | null>
}

/** Scores that depend only on base model, sealed set and the evaluation's settings, measured once. */
export type BaselineBook = {
  get(key: string): Promise<{ prefix: string; jobName: string } | null>
  keep(key: string, baseline: { prefix: string; jobName: string }): Promise<void>
}

/** Appends a document to the attribution log; the same document is one leaf. */
export type AttributionLog = {
  append(leaf: { kind: string; [field: string]: unknown }): Promise<{ index: number }>
}
