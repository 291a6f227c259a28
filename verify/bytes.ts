/** Bytes and hex of the offline verifier. It shares no code with the service: docs/protocol.md is its source. */
import { sha256 as nobleSha256 } from '@noble/hashes/sha2.js'
import { keccak_256 } from '@noble/hashes/sha3.js'
import { bytesToHex, concatBytes, hexToBytes, utf8ToBytes } from '@noble/hashes/utils.js'

export { utf8ToBytes }

/** Lower-case hex without 0x. */
export const toHex = bytesToHex

/** Hex of whole bytes, with or without 0x. @throws Error */
export function fromHex(text: string): Uint8Array {
  return hexToBytes(text.startsWith('0x') ? text.slice(2) : text)
}

export const sha256 = (...parts: Uint8Array[]): Uint8Array => nobleSha256(concatBytes(...parts))
export const keccak256 = (...parts: Uint8Array[]): Uint8Array => keccak_256(concatBytes(...parts))

export const equalBytes = (left: Uint8Array, right: Uint8Array): boolean => toHex(left) === toHex(right)

/** Byte-wise order: negative, zero or positive. */
export function compareBytes(left: Uint8Array, right: Uint8Array): number {
  const a = toHex(left)
  const b = toHex(right)
  return a < b ? -1 : a > b ? 1 : 0
}

/** Standard base64, strictly: another spelling of the same bytes is refused. @throws Error */
export function fromBase64(text: string): Uint8Array {
  const binary = atob(text)
  if (btoa(binary) !== text) throw new Error(`not base64: ${text.slice(0, 60)}`)
  return Uint8Array.from(binary, character => character.charCodeAt(0))
}

/** Unpacks gzip; in Node and browsers alike. @throws Error above `maxBytes` and for anything but gzip */
export async function gunzip(bytes: Uint8Array, maxBytes: number): Promise<string> {
  const source = new Blob([new Uint8Array(bytes)]).stream()
  const reader = source.pipeThrough(new DecompressionStream('gzip')).getReader()
  const decoder = new TextDecoder('utf-8', { fatal: true })
  let text = ''
  for (let size = 0; ; ) {
    const { done, value } = await reader.read()
    if (done) return text + decoder.decode()
    size += value.length
    // A small file can unpack to anything.
    if (size > maxBytes) throw new Error(`unpacks to more than ${maxBytes} bytes`)
    text += decoder.decode(value, { stream: true })
  }
}
