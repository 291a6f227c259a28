/**
 * The framing of `application/vnd.amazon.eventstream`: prelude (total length, header length, CRC-32 of both),
 * headers, payload, CRC-32 of all before it; numbers are big-endian (Amazon event stream encoding, in the
 * Smithy specification).
 */
import { crc32 } from 'node:zlib'

/** Type 7 of a header's value: a string with its length in two bytes. */
const STRING_VALUE = 7

/** One message with string headers. */
function eventStreamMessage(headers: Record<string, string>, payload: Uint8Array): Buffer {
  const encodedHeaders = Buffer.concat(
    Object.entries(headers).map(([name, value]) => encodeHeader(name, value)),
  )
  const totalBytes = 12 + encodedHeaders.length + payload.length + 4
  const message = Buffer.alloc(totalBytes)
  message.writeUInt32BE(totalBytes, 0)
  message.writeUInt32BE(encodedHeaders.length, 4)
  message.writeUInt32BE(crc32(message.subarray(0, 8)), 8)
  encodedHeaders.copy(message, 12)
  message.set(payload, 12 + encodedHeaders.length)
  message.writeUInt32BE(crc32(message.subarray(0, totalBytes - 4)), totalBytes - 4)
  return message
}

/** A piece of the model's answer. */
export function payloadPart(bytes: Uint8Array): Buffer {
  return eventStreamMessage(
    { ':event-type': 'PayloadPart', ':content-type': 'application/octet-stream', ':message-type': 'event' },
    bytes,
  )
}

/** The error that ends a stream whose headers have already been sent. */
export function streamException(type: 'ModelStreamError' | 'InternalStreamFailure', message: string): Buffer {
  return eventStreamMessage(
    { ':exception-type': type, ':content-type': 'application/json', ':message-type': 'exception' },
    Buffer.from(JSON.stringify({ Message: message, ErrorCode: 'ModelInvocationFailed' })),
  )
}

function encodeHeader(name: string, value: string): Buffer {
  const nameBytes = Buffer.from(name, 'utf8')
  const valueBytes = Buffer.from(value, 'utf8')
  const header = Buffer.alloc(1 + nameBytes.length + 1 + 2 + valueBytes.length)
  header.writeUInt8(nameBytes.length, 0)
  nameBytes.copy(header, 1)
  header.writeUInt8(STRING_VALUE, 1 + nameBytes.length)
  header.writeUInt16BE(valueBytes.length, 2 + nameBytes.length)
  valueBytes.copy(header, 4 + nameBytes.length)
  return header
}
