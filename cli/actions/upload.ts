import { randomBytes } from 'node:crypto'
import { readUpload } from '../../domain/data/read-upload.ts'
import { INTAKE_LIMITS } from '../../domain/data/record-profile.ts'
import { OpenLedgerError } from '../../domain/errors.ts'
import { type Bytes32, parseBytes32, sha256ToBytes32 } from '../../domain/protocol/hex.ts'
import { keccak256Hex } from '../../domain/protocol/ids.ts'
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
  const seed = randomBytes(32).toString('hex')
  const bytes = new TextEncoder().encode(input.jsonl)
  const { whole, ...facts } = await readUpload([bytes], 'instruction', INTAKE_LIMITS, seed)
  const [reason] = whole
  if (reason !== undefined || facts.recordCount === 0) {
    throw new OpenLedgerError('malformed', 'This cannot be uploaded as it is', {
      expected: reason?.expected ?? 'JSON Lines with at least one record',
      seen: reason?.seen ?? 'nothing',
    })
  }
  const manifest = {
    ...facts,
    contributor: addressOf(signer),
    license: input.license,
    nonce: nextNonce(),
  }
  const deadline = Date.now() + UPLOAD_WINDOW_MS
  const signature = await signTypedData(signer, session.bound, 'Submission', {
    ...manifest,
    datanetId: input.datanetId,
    objectDigest: sha256ToBytes32(manifest.objectDigest),
    recordsRoot: sha256ToBytes32(manifest.recordsRoot),
    consent: keccak256Hex(CONSENT),
    deadline,
  })
  const body = {
    ...manifest,
    consent: CONSENT,
    deadline: new Date(deadline).toISOString(),
    seed,
    signature,
  }
  return { body, bytes }
}

/**
 * Registers a signed upload and sends its bytes to the presigned URL. Who keeps the seed (32 bytes in hex) can prove
 * later which records were in it; it is a secret, since it opens the salts of all of them.
 * @throws ApiError with the service's refusal; OpenLedgerError when the store refuses the bytes
 */
export async function upload(
  session: Session,
  signer: Signer,
  input: { datanetId: string; jsonl: string; license: string },
): Promise<{ submissionId: Bytes32; sequence: number; seed: string }> {
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
  const submissionId = parseBytes32(registered.submissionId)
  return { submissionId, sequence: registered.sequence, seed: body.seed }
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
