import type { SaidVerdict } from '../../api/schemas/alignment.ts'
import type { Address, Bytes32, Hex, Sha256Hex } from '../protocol/hex.ts'
import type { ValidatorScore } from './score-validators.ts'
import type { Choice, Question, Side } from './verdicts.ts'

export type ChatMessage = { readonly role: string; readonly content: string }

/** Two different answers to one prompt. `truth` is known for gold pairs only, and never leaves the service. */
export type AnswerPair = {
  readonly pairId: string
  readonly messages: readonly ChatMessage[]
  readonly a: string
  readonly b: string
  readonly truth: Readonly<Record<Question, Choice>> | null
}

export type RoundPurpose = 'preferences' | 'verification'

export type RoundScoresSummary = {
  readonly validators: readonly ValidatorScore[]
  readonly agreementPpm: number | null
}

export type Round = {
  readonly id: Bytes32
  readonly runId: Bytes32
  readonly purpose: RoundPurpose
  readonly state: 'open' | 'closed'
  readonly opensAt: number
  readonly closesAt: number
  /** Drawn when the round opens; every assignment follows from it. Published when the round is closed. */
  readonly seed: string
  readonly validators: readonly Address[]
  readonly tasks: number
  readonly judged: number
  /** The waiting state of the machine. */
  readonly taskToken: string
  readonly scores: RoundScoresSummary | null
}

export type StoredTask = {
  readonly taskId: Sha256Hex
  readonly validator: Address
  readonly pairId: string
  readonly isGold: boolean
  readonly shownFirst: Side
  readonly position: number
  readonly messages: readonly ChatMessage[]
  readonly first: string
  readonly second: string
  readonly judgment: {
    readonly verdict: SaidVerdict
    readonly nonce: number
    readonly signature: Hex
    readonly receivedAt: number
  } | null
}

export type RoundBook = {
  /** Keeps the first record of a round; only the task token of a repeated opening replaces the old one. */
  open(round: Round): Promise<Round>
  get(id: Bytes32): Promise<Round | null>
  list(page: {
    cursor?: string | undefined
    limit?: number | undefined
  }): Promise<{ items: Round[]; cursor: string | null }>
  addTasks(roundId: Bytes32, tasks: readonly StoredTask[]): Promise<void>
  task(roundId: Bytes32, taskId: Sha256Hex): Promise<StoredTask | null>
  tasks(roundId: Bytes32, validator?: Address): Promise<StoredTask[]>
  /** Records a judgment while the round is open and the task has none, and counts it. */
  judge(
    roundId: Bytes32,
    task: StoredTask,
    judgment: NonNullable<StoredTask['judgment']>,
  ): Promise<'judged' | 'judged-before' | 'round-closed'>
  close(roundId: Bytes32, scores: RoundScoresSummary): Promise<void>
}
