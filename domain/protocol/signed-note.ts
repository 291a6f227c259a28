/**
 * Signed log heads: C2SP signed-note with Ed25519 keys, and C2SP tlog-checkpoint as the note's text.
 * ("Checkpoint" in this file is the format's word; everywhere else here it means weights, and this is a
 * log head.)
 */
import { createPublicKey, verify } from 'node:crypto'
import { OpenLedgerError } from '../errors.ts'
import { bytesToDigits, compareBytes, concatBytes } from './hex.ts'
import { sha256 } from './ids.ts'
import type { Hash } from './merkle-log.ts'
import type { Genesis } from './typed-data.ts'

/** C2SP signed-note: signature type of a plain Ed25519 signature over the note's text. */
const ED25519_TYPE = 1
const KEY_ID_BYTES = 4
const ED25519_KEY_BYTES = 32
const ED25519_SIGNATURE_BYTES = 64
/** As Go's note package, so that its readers take what is written here. */
const MAX_NOTE_SIGNATURES = 100

/** A key that may sign notes: its name (of a log: the origin) and the raw Ed25519 public key. */
export interface NoteKey {
  readonly name: string
  readonly publicKey: Uint8Array
}

interface NoteSignature {
  readonly name: string
  /** 4 bytes. */
  readonly keyId: Uint8Array
  readonly signature: Uint8Array
}

export interface SignedNote {
  /** What is signed: lines, each ended by a newline. */
  readonly text: string
  readonly signatures: readonly NoteSignature[]
}

function malformedNote(expected: string, seen?: string): OpenLedgerError {
  return new OpenLedgerError('malformed', `not a signed note: expected ${expected}`, {
    expected,
    ...(seen === undefined ? {} : { seen: seen.slice(0, 80) }),
  })
}

const toBase64 = (bytes: Uint8Array) => Buffer.from(bytes).toString('base64')

/** Strict base64 (RFC 4648 section 4): another spelling of the same bytes is another note. */
function fromBase64(text: string): Uint8Array {
  const bytes = new Uint8Array(Buffer.from(text, 'base64'))
  if (text === '' || toBase64(bytes) !== text) throw malformedNote('base64', text)
  return bytes
}

function requireKeyName(name: string): void {
  if (name === '' || /[\s+]/u.test(name) || !name.isWellFormed())
    throw malformedNote('a key name without spaces and plus signs', name)
}

/** SHA-256(name || 0x0A || 0x01 || public key), first 4 bytes. */
function noteKeyId(key: NoteKey): Uint8Array {
  const name = new TextEncoder().encode(key.name)
  return sha256(name, Uint8Array.of(0x0a, ED25519_TYPE), key.publicKey).slice(0, KEY_ID_BYTES)
}

/** The key as one line, `name+hex key id+base64(type || public key)`, for configs and other verifiers. */
export function verifierKey(key: NoteKey): string {
  requireKeyName(key.name)
  if (key.publicKey.length !== ED25519_KEY_BYTES) throw malformedNote('an Ed25519 key of 32 bytes')
  const typed = concatBytes(Uint8Array.of(ED25519_TYPE), key.publicKey)
  return `${key.name}+${bytesToDigits(noteKeyId(key))}+${toBase64(typed)}`
}

/** @throws OpenLedgerError malformed, also when the key id is not that of the key */
export function parseVerifierKey(line: string): NoteKey {
  const [name, keyId, ...rest] = line.split('+')
  if (name === undefined || keyId === undefined || rest.length === 0) throw malformedNote('name+id+key', line)
  requireKeyName(name)
  // Base64 itself may hold plus signs.
  const typed = fromBase64(rest.join('+'))
  if (typed[0] !== ED25519_TYPE || typed.length !== 1 + ED25519_KEY_BYTES)
    throw malformedNote('an Ed25519 key', line)
  const key = { name, publicKey: typed.slice(1) }
  if (bytesToDigits(noteKeyId(key)) !== keyId) throw malformedNote('the key id of the key', keyId)
  return key
}

function requireNoteText(text: string): void {
  const holdsControl = [...text].some(character => character < ' ' && character !== '\n')
  if (!text.endsWith('\n') || holdsControl || !text.isWellFormed())
    throw malformedNote('lines of text without control characters, each ended by a newline')
}

/** Text and signatures as one file. @throws OpenLedgerError malformed */
export function formatNote(note: SignedNote): string {
  requireNoteText(note.text)
  const lines = note.signatures.map(({ name, keyId, signature }) => {
    requireKeyName(name)
    return `— ${name} ${toBase64(concatBytes(keyId, signature))}\n`
  })
  return `${note.text}\n${lines.join('')}`
}

/** @throws OpenLedgerError malformed */
export function parseNote(file: string): SignedNote {
  const split = file.lastIndexOf('\n\n')
  if (split < 0 || !file.endsWith('\n')) throw malformedNote('text, an empty line and signatures')
  const text = file.slice(0, split + 1)
  requireNoteText(text)
  const lines = file.slice(split + 2, -1).split('\n')
  if (lines.length > MAX_NOTE_SIGNATURES) throw malformedNote(`at most ${MAX_NOTE_SIGNATURES} signatures`)
  const signatures = lines.map(line => {
    const [dash, name, encoded, ...rest] = line.split(' ')
    if (dash !== '—' || name === undefined || encoded === undefined || rest.length > 0)
      throw malformedNote('a signature line', line)
    requireKeyName(name)
    const bytes = fromBase64(encoded)
    if (bytes.length <= KEY_ID_BYTES) throw malformedNote('a key id and a signature', line)
    return { name, keyId: bytes.slice(0, KEY_ID_BYTES), signature: bytes.slice(KEY_ID_BYTES) }
  })
  return { text, signatures }
}

/**
 * Signs a note's text. `sign` makes a plain Ed25519 signature (RFC 8032) over the bytes; with KMS that is
 * `ED25519_SHA_512` with MessageType RAW.
 */
export async function signNote(
  text: string,
  key: NoteKey,
  sign: (message: Uint8Array) => Promise<Uint8Array>,
): Promise<SignedNote> {
  requireNoteText(text)
  const signature = await sign(new TextEncoder().encode(text))
  return { text, signatures: [{ name: key.name, keyId: noteKeyId(key), signature }] }
}

/** RFC 8410: an Ed25519 public key as SubjectPublicKeyInfo is this prefix and the 32 bytes. */
const ED25519_SPKI_PREFIX = Buffer.from('302a300506032b6570032100', 'hex')

/** True if this is the key's Ed25519 signature (RFC 8032) over the message. */
function verifyEd25519(publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean {
  if (publicKey.length !== ED25519_KEY_BYTES || signature.length !== ED25519_SIGNATURE_BYTES) return false
  const key = createPublicKey({
    key: Buffer.concat([ED25519_SPKI_PREFIX, publicKey]),
    format: 'der',
    type: 'spki',
  })
  return verify(null, message, key, signature)
}

/**
 * The names of the given keys that signed the note. Signatures of unknown keys are ignored (witnesses come
 * and go); a wrong signature under a known key is an attack or damage and is refused.
 * @throws OpenLedgerError bad-signature
 */
export function verifyNote(note: SignedNote, keys: readonly NoteKey[]): string[] {
  const message = new TextEncoder().encode(note.text)
  const signers: string[] = []
  for (const { name, keyId, signature } of note.signatures) {
    const key = keys.find(known => known.name === name && compareBytes(noteKeyId(known), keyId) === 0)
    if (key === undefined) continue
    if (!verifyEd25519(key.publicKey, message, signature))
      throw new OpenLedgerError('bad-signature', 'the note was changed after it was signed', {
        expected: `a signature by ${name}`,
      })
    if (!signers.includes(name)) signers.push(name)
  }
  return signers
}

/** What a log head states. */
export interface Checkpoint {
  readonly origin: string
  readonly size: number
  readonly root: Hash
}

/** Name of a deployment's log; the name of its key is the same (C2SP tlog-checkpoint). */
export function logOrigin(genesis: Pick<Genesis, 'deploymentId'>): string {
  return `openledger/${genesis.deploymentId.slice(2)}`
}

/** The text of a log head: origin, size and base64 root on a line each. @throws malformed */
export function checkpointBody(origin: string, size: number, root: Hash): string {
  if (origin === '' || origin.includes('\n') || !Number.isSafeInteger(size) || size < 0 || root.length !== 32)
    throw malformedNote('an origin of one line, a size and a root of 32 bytes')
  return `${origin}\n${size}\n${toBase64(root)}\n`
}

/** Reads the text of a log head; lines after the third are extensions and are left alone. @throws malformed */
export function parseCheckpoint(text: string): Checkpoint {
  const [origin, size, root] = text.split('\n')
  if (
    !text.endsWith('\n') ||
    origin === undefined ||
    origin === '' ||
    size === undefined ||
    root === undefined
  )
    throw malformedNote('origin, size and root lines')
  if (text.includes('\n\n')) throw malformedNote('no empty lines in a log head')
  if (!/^(?:0|[1-9][0-9]{0,15})$/.test(size) || !Number.isSafeInteger(Number(size)))
    throw malformedNote('a decimal size without leading zeros', size)
  const hash = fromBase64(root)
  if (hash.length !== 32) throw malformedNote('a root of 32 bytes', root)
  return { origin, size: Number(size), root: hash }
}
