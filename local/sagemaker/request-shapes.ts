/**
 * Checks a control-plane request against AWS's own service model (`generated/request-shapes.json`): types,
 * required members, lengths, ranges, patterns and enums, with the sentences that AWS answers.
 *
 * Stricter than AWS in one point: a member that the model does not know is refused. AWS ignores it, but
 * Step Functions fails it as States.Runtime, and a misspelled setting should not pass unseen here first.
 */
import { readFileSync } from 'node:fs'
import { AwsError, validationException } from './aws-error.ts'

type Shape = {
  type: string
  required?: string[]
  enum?: string[]
  min?: number
  max?: number
  pattern?: string
  members?: Record<string, string>
  member?: string
  key?: string
  value?: string
}

const model = JSON.parse(
  readFileSync(new URL('./generated/request-shapes.json', import.meta.url), 'utf8'),
) as { operations: Record<string, string>; shapes: Record<string, Shape> }

/** True for an operation whose request can be checked, which is every one that this server answers. */
export function isKnownOperation(operation: string): boolean {
  return Object.hasOwn(model.operations, operation)
}

/** Throws ValidationException (or SerializationException for a wrong type) unless AWS would take `input`. */
export function assertRequest(operation: string, input: unknown): void {
  const complaints: string[] = []
  check(model.operations[operation]!, input, '', complaints)
  if (complaints.length === 0) return
  const count = complaints.length === 1 ? '1 validation error' : `${complaints.length} validation errors`
  throw validationException(`${count} detected: ${complaints.join('; ')}`)
}

function check(shapeName: string, value: unknown, path: string, complaints: string[]): void {
  const shape = model.shapes[shapeName]!
  const complain = (rule: string) =>
    complaints.push(
      `Value '${printed(value)}' at '${path}' failed to satisfy constraint: Member must ${rule}`,
    )
  switch (shape.type) {
    case 'structure':
      checkStructure(shape, asObject(value), path, complaints)
      return
    case 'list': {
      if (!Array.isArray(value)) throw wrongType(value, 'a List')
      checkSize(shape, value.length, complain)
      // AWS counts from one and says "member", as the shapes do.
      for (const [index, item] of value.entries())
        check(shape.member!, item, `${path}.${index + 1}.member`, complaints)
      return
    }
    case 'map': {
      const entries = Object.entries(asObject(value))
      checkSize(shape, entries.length, complain)
      for (const [key, item] of entries) {
        check(shape.key!, key, `${path}.key`, complaints)
        check(shape.value!, item, `${path}.${key}.member`, complaints)
      }
      return
    }
    case 'string': {
      if (typeof value !== 'string') throw wrongType(value, 'a String')
      checkSize(shape, [...value].length, complain)
      if (shape.enum && !shape.enum.includes(value))
        complain(`satisfy enum value set: [${shape.enum.join(', ')}]`)
      if (shape.pattern && !wholePattern(shape.pattern).test(value))
        complain(`satisfy regular expression pattern: ${shape.pattern}`)
      return
    }
    case 'integer':
    case 'long':
    case 'float':
    case 'double': {
      if (typeof value !== 'number') throw wrongType(value, 'a Number')
      if (!Number.isInteger(value) && (shape.type === 'integer' || shape.type === 'long'))
        throw wrongType(value, 'an Integer')
      if (shape.min !== undefined && value < shape.min)
        complain(`have value greater than or equal to ${shape.min}`)
      if (shape.max !== undefined && value > shape.max)
        complain(`have value less than or equal to ${shape.max}`)
      return
    }
    case 'boolean':
      if (typeof value !== 'boolean') throw wrongType(value, 'a Boolean')
      return
    case 'timestamp':
      if (typeof value !== 'number') throw wrongType(value, 'a Timestamp')
      return
    default:
      throw new Error(`The service model has a type that is not checked here: ${shape.type}`)
  }
}

function checkStructure(
  shape: Shape,
  value: Record<string, unknown>,
  path: string,
  complaints: string[],
): void {
  const at = (member: string) => (path === '' ? lowerFirst(member) : `${path}.${lowerFirst(member)}`)
  for (const member of shape.required ?? [])
    if (value[member] === undefined || value[member] === null)
      complaints.push(`Value null at '${at(member)}' failed to satisfy constraint: Member must not be null`)
  for (const [member, item] of Object.entries(value)) {
    const memberShape = shape.members?.[member]
    if (memberShape === undefined) complaints.push(`Unknown member '${member}' at '${at(member)}'`)
    else if (item !== null && item !== undefined) check(memberShape, item, at(member), complaints)
  }
}

function checkSize(shape: Shape, size: number, complain: (rule: string) => void): void {
  if (shape.min !== undefined && size < shape.min)
    complain(`have length greater than or equal to ${shape.min}`)
  if (shape.max !== undefined && size > shape.max) complain(`have length less than or equal to ${shape.max}`)
}

function asObject(value: unknown): Record<string, unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw wrongType(value, 'a Structure')
  return value as Record<string, unknown>
}

function wrongType(value: unknown, wanted: string): AwsError {
  const seen = Array.isArray(value) ? 'LIST_VALUE' : `${(typeof value).toUpperCase()}_VALUE`
  return new AwsError('SerializationException', `${seen} can not be converted to ${wanted}`)
}

const patterns = new Map<string, RegExp>()

/** AWS matches the whole value; classes such as \p{L} need the flag, some escapes do not bear it. */
function wholePattern(pattern: string): RegExp {
  let compiled = patterns.get(pattern)
  if (compiled === undefined) {
    try {
      compiled = new RegExp(`^(?:${pattern})$`, 'u')
    } catch {
      compiled = new RegExp(`^(?:${pattern})$`)
    }
    patterns.set(pattern, compiled)
  }
  return compiled
}

const PRINTED_CHARACTERS = 200

function printed(value: unknown): string {
  const text = typeof value === 'string' ? value : JSON.stringify(value)
  return text.length > PRINTED_CHARACTERS ? `${text.slice(0, PRINTED_CHARACTERS)}...` : text
}

function lowerFirst(text: string): string {
  return text.charAt(0).toLowerCase() + text.slice(1)
}
