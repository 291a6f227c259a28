import { InvalidArgumentError } from 'commander'
import { type Address, parseAddress } from '../domain/protocol/hex.ts'

/** Readers of arguments and options, for commander: what they refuse is wrong usage, exit code 2. */

/** Of a proposal, Datanet, run, round or version; lower case. */
export function id(text: string): string {
  if (!/^0x[0-9a-f]{64}$/i.test(text)) throw new InvalidArgumentError('Expected an id: 0x and 64 hex digits.')
  return text.toLowerCase()
}

/** Lower case; a mixed-case one must have its checksum. */
export function address(text: string): Address {
  try {
    return parseAddress(text)
  } catch (error) {
    throw new InvalidArgumentError(`${(error as Error).message.replace('expected', 'Expected')}.`)
  }
}

/** For options that take several. */
export const addresses = (text: string, before: readonly Address[] = []): Address[] => [
  ...before,
  address(text),
]

/** Of RPC endpoints, for options that take several. */
export function urls(text: string, before: readonly string[] = []): string[] {
  if (!/^https?:$/.test(URL.parse(text)?.protocol ?? ''))
    throw new InvalidArgumentError('Expected an address like https://rpc.example.org.')
  return [...before, text]
}

/** A whole number above zero. */
export function count(text: string): number {
  if (!/^[1-9][0-9]{0,9}$/.test(text)) throw new InvalidArgumentError('Expected a whole number above 0.')
  return Number(text)
}

/** 0 to 2, as the OpenAI interface has it. */
export function temperature(text: string): number {
  const value = Number(text)
  if (text.trim() === '' || !(value >= 0 && value <= 2)) throw new InvalidArgumentError('Expected 0 to 2.')
  return value
}

/** Whole OPEN, as base units. */
export function wholeOpen(text: string): bigint {
  if (!/^[1-9][0-9]{0,17}$/.test(text))
    throw new InvalidArgumentError('Expected a whole number of OPEN above 0, like 100.')
  return BigInt(text) * 10n ** 18n
}
