import { isError } from 'ethers'
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

type Explained = {
  readonly code: string
  readonly message: string
  readonly expected?: string | undefined
  readonly seen?: string | undefined
}

/** What happened, what was expected, what was seen; facts before advice. Never a stack. */
export function explain(error: unknown, asJson: boolean): void {
  const { code, message, expected, seen } = explained(error)
  if (asJson) {
    console.log(JSON.stringify({ error: { code, message, expected, seen } }, null, 2))
    return
  }
  console.error(`${message} (${code})`)
  if (expected !== undefined) console.error(`  expected: ${expected}`)
  if (seen !== undefined) console.error(`  seen:     ${seen}`)
}

function explained(error: unknown): Explained {
  if (error instanceof ApiError || isOpenLedgerError(error)) {
    const { code, message, expected, seen } = error
    // The field that a check of the service is about comes as `seen`; twice the same words help nobody.
    return message === `${seen}: ${expected}`
      ? { code, message: 'The service does not take this', expected, seen: `another shape of ${seen}` }
      : { code, message, expected, seen }
  }
  const refused = chainRefusal(error)
  if (refused !== undefined) return refused
  return { code: 'internal', message: error instanceof Error ? error.message : String(error) }
}

/** What ethers throws names code, version and whole transactions; a person needs one sentence of it. */
function chainRefusal(error: unknown): Explained | undefined {
  const { shortMessage, code } = error as { shortMessage?: unknown; code?: unknown }
  if (isError(error, 'INSUFFICIENT_FUNDS'))
    return {
      code: 'chain-refused',
      message: 'The account cannot pay the gas of this transaction',
      expected: 'some of the chain’s own coin on the account that sends',
      seen: 'too little',
    }
  if (isError(error, 'CALL_EXCEPTION'))
    return {
      code: 'chain-refused',
      message: 'The contract refused the transaction',
      expected: 'an account that holds and may do what the command says',
      seen: error.reason ?? error.shortMessage,
    }
  if (typeof shortMessage === 'string' && typeof code === 'string')
    return { code: 'chain-refused', message: 'The chain did not take this', seen: shortMessage }
  const { code: system } = (error ?? {}) as { code?: string }
  if (system === 'ECONNREFUSED' || system === 'ENOTFOUND' || system === 'TIMEOUT')
    return {
      code: 'unreachable',
      message: 'The chain does not answer',
      expected: 'an RPC endpoint at "rpcUrl" of the profile',
      seen: (error as Error).message || system,
    }
  return undefined
}

/** OPEN and gOPEN have 18 decimals; people read whole ones. */
export function open(wei: string): string {
  const amount = BigInt(wei)
  const whole = amount / 10n ** 18n
  const rest = (amount % 10n ** 18n).toString().padStart(18, '0').slice(0, 4)
  if (amount > 0n && whole === 0n && rest === '0000') return 'less than 0.0001'
  return rest === '0000' ? `${whole}` : `${whole}.${rest}`
}
