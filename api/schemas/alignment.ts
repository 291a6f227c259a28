import * as z from 'zod'
import { address, bytes32, instant, nonce, ppm, sha256, signature } from './common.ts'

const said = z.enum(['first', 'second', 'tie'])
/** One validator's answer to the three questions about a pair, in the order in which it was shown. */
export const verdict = z.strictObject({ ethics: said, logic: said, function: said })
export type SaidVerdict = z.infer<typeof verdict>

export const judgmentTask = z.object({
  taskId: sha256,
  position: z.int(),
  messages: z.array(z.object({ role: z.string(), content: z.string() })),
  first: z.string(),
  second: z.string(),
  judged: z.boolean(),
})

export const submitJudgment = z.strictObject({
  taskId: sha256,
  validator: address,
  verdict,
  nonce,
  signature,
})
export const submitJudgmentAnswer = z.object({
  roundId: bytes32,
  taskId: sha256,
  judged: z.int(),
  tasks: z.int(),
})

const interval = z.object({ valuePpm: z.int(), lowPpm: z.int(), highPpm: z.int(), n: z.int() })
export const validatorScore = z.object({
  validator: address,
  standing: z.enum(['kept', 'unproven', 'dropped']),
  weightPpm: ppm,
  tasks: z.int(),
  skill: interval,
  accuracy: interval,
  gold: interval.nullable(),
  choseFirst: interval.nullable(),
  isPositionBiased: z.boolean(),
})

export const roundView = z.object({
  id: bytes32,
  runId: bytes32,
  purpose: z.enum(['preferences', 'verification']),
  state: z.enum(['open', 'closed']),
  opensAt: instant,
  closesAt: instant,
  tasks: z.int(),
  judged: z.int(),
  validators: z.array(address),
  rubric: z.string(),
  scores: z.array(validatorScore).nullable(),
  /** Krippendorff's alpha among the validators that scoring keeps, in ppm; null where it is undefined. */
  agreementPpm: z.int().nullable(),
})
