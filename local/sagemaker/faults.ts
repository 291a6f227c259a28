/** Faults that a test or a rehearsal asks for through `POST /local/faults`. */
import * as z from 'zod'

const faultSchema = z.discriminatedUnion('kind', [
  z.strictObject({
    kind: z.literal('spot-interruption'),
    /** A job's name, or the next managed-spot job that trains. */
    job: z.string().optional(),
    /** Interrupt so long after the job entered Training; */
    afterSeconds: z.number().min(0).optional(),
    /** or when its log shows a line of JSON with this "step" or a later one. */
    atStep: z.number().int().min(0).optional(),
    /** Between SIGTERM and SIGKILL; 0 is an instance that vanishes without a notice. */
    noticeSeconds: z.number().min(0).max(120).optional(),
  }),
  z.strictObject({ kind: z.literal('resource-limit-exceeded'), times: z.number().int().min(1).default(1) }),
  z.strictObject({ kind: z.literal('capacity-error'), times: z.number().int().min(1).default(1) }),
])

export type Fault = z.infer<typeof faultSchema>
type SpotInterruption = Extract<Fault, { kind: 'spot-interruption' }>

export type Faults = {
  add(fault: Fault): void
  waiting(): Fault[]
  clear(): void
  /** Uses up one refusal of the next creation, if one waits. */
  takeCreation(): 'resource-limit-exceeded' | 'capacity-error' | undefined
  /** Uses up the interruption that is due for a spot job at this point of its training, if any. */
  takeInterruption(progress: TrainingProgress): { noticeSeconds: number | undefined } | undefined
}

type TrainingProgress = { job: string; trainingSeconds: number; step: number | undefined }

/** Throws z.ZodError for a fault that is none. */
export function parseFault(input: unknown): Fault {
  return faultSchema.parse(input)
}

export function createFaults(): Faults {
  let faults: Fault[] = []
  return {
    add(fault) {
      faults.push(fault)
    },
    waiting: () => [...faults],
    clear() {
      faults = []
    },
    takeCreation() {
      const fault = faults.find(candidate => candidate.kind !== 'spot-interruption')
      if (fault === undefined) return undefined
      fault.times--
      if (fault.times === 0) faults = faults.filter(candidate => candidate !== fault)
      return fault.kind
    },
    takeInterruption(progress) {
      const fault = faults.find(
        (candidate): candidate is SpotInterruption =>
          candidate.kind === 'spot-interruption' && isDue(candidate, progress),
      )
      if (fault === undefined) return undefined
      faults = faults.filter(candidate => candidate !== fault)
      return { noticeSeconds: fault.noticeSeconds }
    },
  }
}

function isDue(fault: SpotInterruption, { job, trainingSeconds, step }: TrainingProgress): boolean {
  if (fault.job !== undefined && fault.job !== job) return false
  if (fault.atStep !== undefined) return step !== undefined && step >= fault.atStep
  return trainingSeconds >= (fault.afterSeconds ?? 0)
}
