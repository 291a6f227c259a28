import { generateKeyPairSync, sign as signEd25519 } from 'node:crypto'
import { parseBytes32 } from '../../domain/protocol/hex.ts'
import { ed25519OfPublicKey } from '../../domain/protocol/kms-keys.ts'
import { leafHash } from '../../domain/protocol/merkle-log.ts'
import {
  checkpointBody,
  formatNote,
  logOrigin,
  parseCheckpoint,
  parseNote,
  parseVerifierKey,
  signNote,
  verifierKey,
  verifyNote,
} from '../../domain/protocol/signed-note.ts'

const coded = (code: string) => expect.objectContaining({ code })

// The example of Go's golang.org/x/mod/sumdb/note.
const GO_KEY = 'PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW'
const GO_NOTE =
  'If you think cryptography is the answer to your problem,\n' +
  "then you don't know what your problem is.\n" +
  '\n' +
  '— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n'

function aSigner(name: string) {
  const { privateKey, publicKey } = generateKeyPairSync('ed25519')
  const spki = new Uint8Array(publicKey.export({ format: 'der', type: 'spki' }))
  return {
    key: { name, publicKey: ed25519OfPublicKey(spki) },
    sign: async (message: Uint8Array) => new Uint8Array(signEd25519(null, message, privateKey)),
  }
}
const body = checkpointBody('example.com/log', 3, leafHash(Uint8Array.of()))

describe('signed log heads', () => {
  it('reads and verifies a note that Go signed', () => {
    const key = parseVerifierKey(GO_KEY)
    expect(verifierKey(key)).toBe(GO_KEY)
    const note = parseNote(GO_NOTE)
    expect(verifyNote(note, [key])).toEqual(['PeterNeumann'])
    expect(formatNote(note)).toBe(GO_NOTE)
  })

  it('refuses a note whose text was changed', () => {
    const changed = parseNote(GO_NOTE.replace('the answer', 'no answer'))
    expect(() => verifyNote(changed, [parseVerifierKey(GO_KEY)])).toThrow(coded('bad-signature'))
  })

  it('signs a log head that its own key verifies, and counts no stranger as a signer', async () => {
    const log = aSigner('example.com/log')
    const stranger = aSigner('example.com/log')
    const note = parseNote(formatNote(await signNote(body, log.key, log.sign)))
    expect(verifyNote(note, [log.key])).toEqual(['example.com/log'])
    expect(verifyNote(note, [stranger.key])).toEqual([])
    expect(parseCheckpoint(note.text)).toEqual({
      origin: 'example.com/log',
      size: 3,
      root: leafHash(Uint8Array.of()),
    })
  })

  it('names the log after the deployment', () => {
    const deploymentId = parseBytes32(`0x${'ab'.repeat(32)}`)
    expect(logOrigin({ deploymentId })).toBe(`openledger/${'ab'.repeat(32)}`)
  })

  it.each([
    ['no text', ''],
    ['no signature', 'text\n\n'],
    ['no empty line', 'text\n— name AAAAAAA=\n'],
    ['a control character', `te\txt\n\n— name AAAAAAAA\n`],
    ['a hyphen for the dash', 'text\n\n- name AAAAAAAA\n'],
    ['a plus sign in the name', 'text\n\n— na+me AAAAAAAA\n'],
    ['loose base64', 'text\n\n— name AAAAAAB=\n'],
    ['a signature without bytes', 'text\n\n— name AAAAAA==\n'],
    ['no newline at the end', GO_NOTE.slice(0, -1)],
  ])('refuses a note with %s', (_name, file) => {
    expect(() => parseNote(file)).toThrow(coded('malformed'))
  })

  it.each([
    ['a size with a leading zero', body.replace('\n3\n', '\n03\n')],
    ['a size beyond 2^53', body.replace('\n3\n', '\n9007199254740993\n')],
    ['a short root', 'example.com/log\n3\nAAAA\n'],
    ['no root', 'example.com/log\n3\n'],
    ['an empty line', `${body}\nmore\n`],
  ])('refuses a head with %s', (_name, text) => {
    expect(() => parseCheckpoint(text)).toThrow(coded('malformed'))
  })

  it('refuses a verifier key whose id is not its own', () => {
    expect(() => parseVerifierKey(GO_KEY.replace('c74f20a3', 'c74f20a4'))).toThrow(coded('malformed'))
    expect(() => parseVerifierKey('only-a-name')).toThrow(coded('malformed'))
  })
})
