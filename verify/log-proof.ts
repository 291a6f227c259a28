/** Signed log heads and proofs that an entry is in the log (docs/protocol.md sections 6 and 7), on their own. */
import { ed25519 } from '@noble/curves/ed25519.js'
import { equalBytes, fromBase64, sha256, toHex, utf8ToBytes } from './bytes.ts'
import { parseCanonicalText } from './canonical-json.ts'
import { leafHash, requireInclusion } from './merkle.ts'
import type { Checklist } from './report.ts'
import { same } from './report.ts'
import { asArray, asCount, asObject, asSha256, asText, type Json } from './shape.ts'
import { NO_LOG_KEY, type Trust } from './trust.ts'

export interface LogHead {
  readonly origin: string
  readonly size: number
  /** SHA-256 in hex without 0x. */
  readonly root: string
  /** The signed text, whose SHA-256 is the `logHead` that payouts name on chain. */
  readonly text: string
}

interface NoteKey {
  readonly name: string
  readonly id: Uint8Array
  readonly publicKey: Uint8Array
}

function parseKey(line: string): NoteKey {
  const match = /^([^\s+]+)\+([0-9a-f]{8})\+(.+)$/u.exec(line)
  if (match === null) throw new Error('the log key is not name+id+key')
  const [, name, id, key] = match as unknown as [string, string, string, string]
  const typed = fromBase64(key)
  if (typed[0] !== 1 || typed.length !== 33) throw new Error('the log key is not an Ed25519 key')
  const expected = sha256(utf8ToBytes(`${name}\n`), typed).slice(0, 4)
  same('the id of the log key', toHex(expected), id)
  return { name, id: expected, publicKey: typed.slice(1) }
}

/**
 * The head that a signed note holds. With a key, the note must carry its valid signature.
 * @throws Error
 */
export function readLogHead(note: string, logKey: string | undefined): LogHead {
  const split = note.lastIndexOf('\n\n')
  if (split < 0) throw new Error('the log head has no signatures')
  const text = note.slice(0, split + 1)
  if (logKey !== undefined) requireSignature(text, note.slice(split + 2), parseKey(logKey))
  const [origin, size, root, ...rest] = text.split('\n')
  if (origin === undefined || origin === '' || size === undefined || root === undefined || rest.at(-1) !== '')
    throw new Error('the log head is not origin, size and root')
  if (!/^(0|[1-9]\d*)$/.test(size) || !Number.isSafeInteger(Number(size)))
    throw new Error(`the size of the log head is ${size}`)
  const hash = fromBase64(root)
  if (hash.length !== 32) throw new Error('the root of the log head is not 32 bytes')
  return { origin, size: Number(size), root: toHex(hash), text }
}

function requireSignature(text: string, lines: string, key: NoteKey): void {
  for (const line of lines.split('\n')) {
    const [dash, name, encoded] = line.split(' ')
    if (dash !== '—' || name !== key.name || encoded === undefined) continue
    const bytes = fromBase64(encoded)
    if (!equalBytes(bytes.slice(0, 4), key.id)) continue
    // RFC 8032's own rules, not the laxer ones of ZIP 215.
    if (ed25519.verify(bytes.slice(4), utf8ToBytes(text), key.publicKey, { zip215: false })) return
    throw new Error(`the signature of ${name} under the log head is wrong`)
  }
  throw new Error(`the log head is not signed by ${key.name}`)
}

export interface LoggedLeaf {
  readonly leaf: Json
  readonly index: number
  readonly head: LogHead
}

/** Checks that an entry is in the log: its hash, its inclusion proof, and the signed head that it leads to. */
export function checkLogProof(list: Checklist, name: string, value: unknown, trust: Trust): LoggedLeaf {
  if (trust.logKey === undefined && !list.notChecked.includes(NO_LOG_KEY)) list.notChecked.push(NO_LOG_KEY)
  return list.check(name, () => {
    const given = asObject(value, name)
    const entry = utf8ToBytes(asText(given.entry, `${name}.entry`))
    const hash = leafHash(entry)
    same('the leaf hash', toHex(hash), asSha256(given.leafHash, `${name}.leafHash`))
    const index = asCount(given.index, `${name}.index`)
    const proof = asArray(given.proof, `${name}.proof`).map((one, at) =>
      asSha256(one, `${name}.proof[${at}]`),
    )
    const head = readLogHead(asText(given.checkpoint, `${name}.checkpoint`), trust.logKey)
    if (trust.genesis !== undefined)
      same('the name of the log', `openledger/${trust.genesis.deploymentId.slice(2)}`, head.origin)
    requireInclusion(hash, index, head.size, proof, head.root)
    const leaf = asObject(parseCanonicalText(asText(given.entry, `${name}.entry`)), `${name}.entry`)
    return [`entry ${index} of ${head.size} (${String(leaf.kind)})`, { leaf, index, head }]
  })
}

/** SHA-256 of a head's text as 0x-hex: what RewardClaims stores as `logHead`. */
export const logHeadDigest = (head: LogHead): string => `0x${toHex(sha256(utf8ToBytes(head.text)))}`
