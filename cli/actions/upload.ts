import { randomBytes } from 'node:crypto'
import { OpenLedgerError } from '../../domain/errors.ts'
import { type Bytes32, parseBytes32, parseSha256Hex, sha256ToBytes32 } from '../../domain/protocol/hex.ts'
import { keccak256Hex, sha256Hex } from '../../domain/protocol/ids.ts'
import { recordHash, recordSalt, recordsRoot } from '../../domain/protocol/record-hash.ts'
import { signTypedData } from '../../domain/protocol/typed-data.ts'
import { addressOf, nextNonce, type Session, type Signer } from './session.ts'

/** Long enough for a slow line; the presigned URL ends with it. */
const UPLOAD_WINDOW_MS = 3_600_000

export const CONSENT =
  'I have the right to contribute these records under the named license, and agree that they train and evaluate the models of this Datanet.'

/** Records as JSONL, hashed and signed: what is uploaded is exactly this text. */
export async function signManifest(
  session: Session,
  signer: Signer,
  input: { datanetId: Bytes32; jsonl: string; license: string },
) {
  const lines = input.jsonl.split('\n').filter(line => line !== '')
  if (lines.length === 0)
    throw new OpenLedgerError('malformed', 'There is no record to upload', { expected: 'JSON Lines' })
  const seed = randomBytes(32)
  const hashes = lines.map((line, index) => recordHash(recordSalt(seed, index), JSON.parse(line)))
  const bytes = new TextEncoder().encode(input.jsonl)
  const manifest = {
    contributor: addressOf(signer),
    objectDigest: sha256Hex(bytes),
    sizeBytes: bytes.byteLength,
    recordCount: lines.length,
    recordsRoot: recordsRoot(hashes),
    license: input.license,
    nonce: nextNonce(),
  }
  const deadline = Date.now() + UPLOAD_WINDOW_MS
  const signature = await signTypedData(signer, session.bound, 'Submission', {
    ...manifest,
    datanetId: input.datanetId,
    objectDigest: sha256ToBytes32(parseSha256Hex(manifest.objectDigest)),
    recordsRoot: sha256ToBytes32(manifest.recordsRoot),
    consent: keccak256Hex(CONSENT),
    deadline,
  })
  const body = {
    ...manifest,
    consent: CONSENT,
    deadline: new Date(deadline).toISOString(),
    seed: seed.toString('hex'),
    signature,
  }
  return { body, bytes }
}

/**
 * Registers a signed upload and sends its bytes to the presigned URL.
 * @throws ApiError with the service's refusal; OpenLedgerError when the store refuses the bytes
 */
export async function upload(
  session: Session,
  signer: Signer,
  input: { datanetId: string; jsonl: string; license: string },
): Promise<{ submissionId: string; sequence: number }> {
  const datanetId = parseBytes32(input.datanetId)
  const { body, bytes } = await signManifest(session, signer, { ...input, datanetId })
  const registered = await session.client.call('registerSubmission', { params: { id: datanetId }, body })
  if (registered.upload !== null) {
    const response = await putBytes(registered.upload, bytes)
    if (!response.ok) {
      throw new OpenLedgerError('digest-mismatch', 'The store refused the bytes', {
        expected: 'the bytes that were signed, once, before the deadline',
        seen: `HTTP ${response.status}: ${(await response.text()).slice(0, 200)}`,
      })
    }
  }
  return { submissionId: registered.submissionId, sequence: registered.sequence }
}

/** Sends bytes with exactly the headers that the ticket's signature covers. */
export function putBytes(
  ticket: { method: 'PUT'; url: string; headers: Readonly<Record<string, string>> },
  bytes: Uint8Array,
): Promise<Response> {
  const { 'content-length': _, host: __, ...headers } = lowerCased(ticket.headers)
  return fetch(ticket.url, { method: ticket.method, headers, body: Buffer.from(bytes) })
}

/** fetch sets host and length itself, as the signature has them. */
const lowerCased = (headers: Readonly<Record<string, string>>): Record<string, string> =>
  Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]))
