import { ApiError } from '../api/client.ts'
import { isOpenLedgerError } from '../domain/errors.ts'

/** What a command found: printed as lines for people, or whole as JSON. */
export type Answer = { readonly lines: readonly string[]; readonly json: unknown }

/** Ends a command that has printed what it found, with exit code 1: something does not hold. */
export class NotHeld extends Error {
  override readonly name = 'NotHeld'
}

export function print(answer: Answer, asJson: boolean): void {
  if (asJson)
    console.log(
      JSON.stringify(answer.json, (_, value) => (typeof value === 'bigint' ? String(value) : value), 2),
    )
  else for (const line of answer.lines) console.log(line)
}

/** What happened, what was expected, what was seen; facts before advice. */
export function explain(error: unknown, asJson: boolean): void {
  const { code, expected, seen } = error as { code?: string; expected?: string; seen?: string }
  const message = error instanceof Error ? error.message : String(error)
  const known = error instanceof ApiError || isOpenLedgerError(error)
  if (asJson) {
    console.log(
      JSON.stringify({ error: { code: known ? code : 'internal', message, expected, seen } }, null, 2),
    )
    return
  }
  console.error(known ? `${message} (${code})` : message)
  if (expected !== undefined) console.error(`  expected: ${expected}`)
  if (seen !== undefined) console.error(`  seen:     ${seen}`)
}

/** OPEN and gOPEN have 18 decimals; people read whole ones. */
export function open(wei: string): string {
  const amount = BigInt(wei)
  const whole = amount / 10n ** 18n
  const rest = (amount % 10n ** 18n).toString().padStart(18, '0').slice(0, 4)
  return rest === '0000' ? `${whole}` : `${whole}.${rest}`
}
