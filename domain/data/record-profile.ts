/**
 * Record profiles: the shape that a Datanet asks of each row, and the reader that turns an uploaded JSONL
 * object into rows, one at a time, with a reason for every line that it refuses. Whatever bytes come in,
 * the reader holds at most one line and answers with data; it never throws for what a contributor sent.
 */
import { z } from 'zod'
import { isOpenLedgerError } from '../errors.ts'
import { canonicalJson, parseCanonical } from '../protocol/canonical-json.ts'

/** Characters (UTF-16 units) of one text of a record; a longer one exceeds the sequence length of every model profile. */
export const MAX_TEXT_CHARACTERS = 32_000
/** A group is a short name (a service, a book, a patient) that keeps related rows in one part. */
const MAX_GROUP_CHARACTERS = 200
/** A conversation of more turns than this is a log, not an example. */
const MAX_CHAT_MESSAGES = 64

const text = z.string().min(1).max(MAX_TEXT_CHARACTERS)
const group = z.string().min(1).max(MAX_GROUP_CHARACTERS)

const instructionRecordSchema = z.strictObject({
  instruction: text,
  // An empty answer has the right shape; record-quality.ts refuses it by a reason of its own.
  output: z.string().max(MAX_TEXT_CHARACTERS),
  system: text.optional(),
  group,
})

const chatMessageSchema = z.strictObject({
  role: z.enum(['system', 'user', 'assistant']),
  content: z.string().max(MAX_TEXT_CHARACTERS),
})

const ROLE_ORDER = 'an optional system message, then user and assistant by turns, the assistant last'

function rolesInOrder(messages: readonly { role: string }[]): boolean {
  const turns = messages[0]?.role === 'system' ? messages.slice(1) : messages
  return (
    turns.length >= 2 &&
    turns.length % 2 === 0 &&
    turns.every((message, at) => message.role === (at % 2 === 0 ? 'user' : 'assistant'))
  )
}

const chatRecordSchema = z.strictObject({
  messages: z.array(chatMessageSchema).max(MAX_CHAT_MESSAGES).refine(rolesInOrder, ROLE_ORDER),
  group,
})

const RECORD_PROFILES = { instruction: instructionRecordSchema, chat: chatRecordSchema } as const

export type RecordProfile = keyof typeof RECORD_PROFILES
export type InstructionRecord = z.infer<typeof instructionRecordSchema>
export type ChatRecord = z.infer<typeof chatRecordSchema>
export type DataRecord = InstructionRecord | ChatRecord
export type ChatMessage = z.infer<typeof chatMessageSchema>

/** The record as a conversation, which is what training reads: system (if any), user, ..., assistant. */
export function recordMessages(record: DataRecord): ChatMessage[] {
  if ('messages' in record) return record.messages
  return [
    ...(record.system === undefined ? [] : [{ role: 'system' as const, content: record.system }]),
    { role: 'user', content: record.instruction },
    { role: 'assistant', content: record.output },
  ]
}

/** What is asked (all turns before the last answer, without the system prompt) and the last answer. */
export function recordQuestion(record: DataRecord): { prompt: string; answer: string } {
  const turns = recordMessages(record).filter(message => message.role !== 'system')
  const answer = turns.at(-1)?.content ?? ''
  return {
    prompt: turns
      .slice(0, -1)
      .map(message => message.content)
      .join('\n'),
    answer,
  }
}

export type IntakeLimits = {
  /** Bytes of the whole object. */
  readonly maxObjectBytes: number
  /** Bytes of one line without its line feed. */
  readonly maxLineBytes: number
  /** Lines of the object. */
  readonly maxRecords: number
}

export const INTAKE_LIMITS: IntakeLimits = {
  // What one intake run streams and hashes within a Lambda's 15 minutes with room to spare.
  maxObjectBytes: 256 * 1024 * 1024,
  // Every text at its longest in four-byte characters would be more; such a row is longer than any context.
  maxLineBytes: 256 * 1024,
  // The per-record work (copies, log) of one submission has to fit one run.
  maxRecords: 100_000,
}

export type LineRefusalCode =
  | 'object-too-large'
  | 'too-many-records'
  | 'no-records'
  | 'line-too-long'
  | 'blank-line'
  | 'byte-order-mark'
  | 'invalid-utf8'
  | 'nul-character'
  | 'invalid-json'
  | 'wrong-shape'

export type LineRefusal = {
  readonly ok: false
  /** Counts from 1; 0 speaks of the object as a whole. */
  readonly line: number
  readonly code: LineRefusalCode
  readonly expected: string
  readonly seen: string
}

export type ParsedRecord = {
  readonly ok: true
  readonly line: number
  /** Position in the submission, from 0: the index that the record's salt is made from. */
  readonly index: number
  readonly record: DataRecord
  /** RFC 8785 spelling: what the record hash is made over. */
  readonly canonical: string
}

export type ParsedLine = ParsedRecord | LineRefusal

const LINE_FEED = 0x0a
/** Longest piece of what was sent that a reason repeats, in characters. */
const SHOWN_CHARACTERS = 120

function refusal(line: number, code: LineRefusalCode, expected: string, seen: string): LineRefusal {
  // A cut may fall inside a surrogate pair, and a reason goes into canonical JSON.
  return { ok: false, line, code, expected, seen: seen.slice(0, SHOWN_CHARACTERS).toWellFormed() }
}

type RawLine = { line: number; bytes: Uint8Array; length: number }

/**
 * Cuts chunks at line feeds. Of a line beyond the limit only its length is kept, so that memory is bounded
 * by one line. A last line without a line feed counts; the nothing after a last line feed does not.
 */
async function* rawLines(
  chunks: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
  maxLineBytes: number,
): AsyncGenerator<RawLine> {
  let line = 1
  let kept: Uint8Array[] = []
  let length = 0
  const add = (piece: Uint8Array) => {
    length += piece.length
    if (length > maxLineBytes) kept = []
    else kept.push(piece)
  }
  const take = (): RawLine => {
    const bytes = new Uint8Array(length > maxLineBytes ? 0 : length)
    let at = 0
    for (const piece of kept) {
      bytes.set(piece, at)
      at += piece.length
    }
    const whole = { line, bytes, length }
    line++
    kept = []
    length = 0
    return whole
  }
  for await (const chunk of chunks) {
    let from = 0
    for (let end = chunk.indexOf(LINE_FEED); end !== -1; end = chunk.indexOf(LINE_FEED, from)) {
      add(chunk.subarray(from, end))
      yield take()
      from = end + 1
    }
    // A source may reuse its buffer for the next chunk.
    if (from < chunk.length) add(chunk.slice(from))
  }
  if (length > 0) yield take()
}

function describeIssue(issue: z.core.$ZodIssue): { expected: string; seen: string } {
  const path = issue.path.length === 0 ? 'the record' : issue.path.join('.')
  if (issue.code === 'unrecognized_keys')
    return { expected: `only the fields of the profile in ${path}`, seen: `also ${issue.keys.join(', ')}` }
  return { expected: issue.message, seen: path }
}

function parseLine(raw: RawLine, profile: RecordProfile, limits: IntakeLimits): ParsedLine {
  const { line, bytes } = raw
  if (raw.length > limits.maxLineBytes)
    return refusal(line, 'line-too-long', `at most ${limits.maxLineBytes} bytes`, `${raw.length} bytes`)
  if (line === 1 && bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf)
    // RFC 8259 section 8.1: no byte order mark may be added.
    return refusal(line, 'byte-order-mark', 'UTF-8 without a byte order mark', 'EF BB BF')
  let content: string
  try {
    content = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
  } catch {
    return refusal(line, 'invalid-utf8', 'UTF-8', 'bytes that are not')
  }
  if (content.trim() === '') return refusal(line, 'blank-line', 'one JSON object a line', 'nothing')
  let value: unknown
  try {
    value = parseCanonical(content)
  } catch (error) {
    if (!isOpenLedgerError(error)) throw error
    const code = content.includes('\0') ? 'nul-character' : 'invalid-json'
    return refusal(line, code, error.expected ?? 'JSON', error.seen ?? 'something else')
  }
  const parsed = RECORD_PROFILES[profile].safeParse(value)
  if (!parsed.success) {
    const issue = parsed.error.issues[0]
    const { expected, seen } =
      issue === undefined ? { expected: profile, seen: 'other' } : describeIssue(issue)
    return refusal(line, 'wrong-shape', expected, seen)
  }
  const record = parsed.data
  const texts = [record.group, ...recordMessages(record).map(message => message.content)]
  // An escaped NUL is valid JSON, but ends a string early in whatever reads it with C string functions.
  if (texts.some(text => text.includes('\0')))
    return refusal(line, 'nul-character', 'text without U+0000', 'an escaped U+0000')
  return { ok: true, line, index: line - 1, record, canonical: canonicalJson(value) }
}

/**
 * Reads JSONL as a stream: one result per line, in order. Stops after a refusal of the whole object
 * (`object-too-large`, `too-many-records`, and `no-records` for an empty one), whose line is 0.
 * A carriage return before the line feed is JSON white space and is allowed.
 * @param chunks the object's bytes in any cutting
 */
export async function* parseRecords(
  chunks: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
  profile: RecordProfile,
  limits: IntakeLimits = INTAKE_LIMITS,
): AsyncGenerator<ParsedLine> {
  let objectBytes = 0
  const counted = async function* () {
    for await (const chunk of chunks) {
      objectBytes += chunk.length
      if (objectBytes > limits.maxObjectBytes) return
      yield chunk
    }
  }
  let records = 0
  for await (const raw of rawLines(counted(), limits.maxLineBytes)) {
    if (objectBytes > limits.maxObjectBytes) break
    if (records === limits.maxRecords) {
      yield refusal(0, 'too-many-records', `at most ${limits.maxRecords} lines`, 'more')
      return
    }
    records++
    yield parseLine(raw, profile, limits)
  }
  if (objectBytes > limits.maxObjectBytes)
    yield refusal(0, 'object-too-large', `at most ${limits.maxObjectBytes} bytes`, 'more')
  else if (records === 0) yield refusal(0, 'no-records', 'at least one record', 'an empty object')
}
