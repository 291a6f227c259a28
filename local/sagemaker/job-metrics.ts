/** Metrics as SageMaker finds them: each definition's regular expression over each line of the job's log. */
import { closeSync, fstatSync, openSync, readSync } from 'node:fs'
import type { MetricDefinition } from '@aws-sdk/client-sagemaker'

export type MetricPoint = {
  metric: string
  value: number
  /** Epoch milliseconds at which the line was read: a log has no clock of its own. */
  at: number
  /** Which attempt of the job wrote it; a restart from a checkpoint may repeat steps. */
  attempt: number
  /** The number under "step" where the line is a JSON object that has one. */
  step?: number
}

export type CompiledMetric = { name: string; regex: RegExp }

/** Throws SyntaxError for an expression that does not compile. */
export function compileMetrics(definitions: readonly MetricDefinition[]): CompiledMetric[] {
  return definitions.map(definition => ({ name: definition.Name!, regex: new RegExp(definition.Regex!) }))
}

/** The points of one line: the first group of each expression that matches, where it is a number. */
export function pointsOf(
  line: string,
  metrics: readonly CompiledMetric[],
  at: number,
  attempt: number,
): MetricPoint[] {
  const step = stepOf(line)
  const points: MetricPoint[] = []
  for (const { name, regex } of metrics) {
    const text = regex.exec(line)?.[1]
    const value = text === undefined || text.trim() === '' ? Number.NaN : Number(text)
    if (Number.isFinite(value))
      points.push({ metric: name, value, at, attempt, ...(step === undefined ? {} : { step }) })
  }
  return points
}

/** The number under "step" of a line that holds a JSON object. */
export function stepOf(line: string): number | undefined {
  const text = line.trim()
  if (!text.startsWith('{') || !text.endsWith('}')) return undefined
  try {
    const step = (JSON.parse(text) as { step?: unknown }).step
    return typeof step === 'number' && Number.isFinite(step) ? step : undefined
  } catch {
    return undefined
  }
}

/** A longer line is cut into pieces: nothing that a job prints may fill the memory of the server. */
const MAX_LINE_BYTES = 1024 * 1024

export type LogTail = {
  /** The whole lines that came since the last call. */
  read(): string[]
  /** The last lines of the log, for the reason of a failure. */
  recent(): string[]
}

const RECENT_LINES = 20

/** Follows a log file from `offset` bytes on; progress bars end their lines with a carriage return. */
export function createLogTail(file: string, offset: number): LogTail {
  let position = offset
  let rest = Buffer.alloc(0)
  const recent: string[] = []
  return {
    read() {
      const lines: string[] = []
      let handle: number
      try {
        handle = openSync(file, 'r')
      } catch {
        return lines // not written to yet
      }
      try {
        while (position < fstatSync(handle).size) {
          const chunk = Buffer.alloc(64 * 1024)
          const count = readSync(handle, chunk, 0, chunk.length, position)
          if (count === 0) break
          position += count
          const bytes = Buffer.concat([rest, chunk.subarray(0, count)])
          const lastEnd = Math.max(bytes.lastIndexOf(0x0a), bytes.lastIndexOf(0x0d)) + 1
          const wholeTo = lastEnd === 0 && bytes.length > MAX_LINE_BYTES ? bytes.length : lastEnd
          const whole = bytes.subarray(0, wholeTo).toString('utf8')
          lines.push(...whole.split(/[\r\n]+/).filter(line => line !== ''))
          rest = bytes.subarray(wholeTo)
        }
      } finally {
        closeSync(handle)
      }
      recent.push(...lines.slice(-RECENT_LINES))
      recent.splice(0, recent.length - RECENT_LINES)
      return lines
    },
    recent: () => [...recent, ...(rest.length > 0 ? [rest.toString('utf8')] : [])],
  }
}
