import * as z from 'zod'

/** Shapes that every area shares. Outside of the service instants are ISO 8601 UTC and amounts are decimal strings. */

export const address = z
  .string()
  .regex(/^0x[0-9a-fA-F]{40}$/, 'expected a 20-byte address: 0x and 40 hex digits')
  .transform(value => value.toLowerCase())
export const bytes32 = z
  .string()
  .regex(/^0x[0-9a-f]{64}$/, 'expected 32 bytes: 0x and 64 lower-case hex digits')
export const sha256 = z.string().regex(/^[0-9a-f]{64}$/, 'expected a SHA-256: 64 lower-case hex digits')
/** ERC-1271 signatures may be long; ECDSA ones are brought to 65 bytes before they are stored. */
export const signature = z
  .string()
  .regex(/^0x([0-9a-fA-F]{2}){64,8192}$/, 'expected a signature: 0x and 64 to 8,192 bytes in hex')
export const instant = z.iso.datetime({
  precision: 3,
  error: 'expected an instant like 2026-01-31T12:00:00.000Z',
})
export const baseUnits = z
  .string()
  .regex(/^(0|[1-9][0-9]{0,77})$/, 'expected an amount in base units: decimal digits without leading zeros')
export const ppm = z.int().min(0).max(1_000_000)
/** JSON numbers are exact up to 2^53 - 1; a nonce is usually the client's clock in milliseconds. */
export const nonce = z.int().min(0)
export const slug = z
  .string()
  .regex(/^[a-z0-9](-?[a-z0-9]){1,40}$/, 'expected 2 to 41 lower-case letters, digits and single hyphens')

export const idParams = z.strictObject({ id: bytes32 })
export const pageQuery = z.strictObject({
  cursor: z.string().max(2_000).optional(),
  limit: z.coerce.number().int().min(1).max(200).optional(),
})

/** RFC 9457 problem details, with the facts a client can act on. */
export const problem = z.object({
  type: z.string(),
  title: z.string(),
  status: z.int(),
  code: z.string(),
  detail: z.string(),
  expected: z.string().optional(),
  seen: z.string().optional(),
})

/** A signed answer of the service: this object was received then, and is in the log by `includeBy`. */
export const receipt = z.object({
  objectDigest: bytes32,
  receivedAt: instant,
  includeBy: instant,
  signer: address,
  signature,
})
