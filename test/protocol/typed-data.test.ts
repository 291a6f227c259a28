import { TypedDataEncoder, Wallet } from 'ethers'
import fc from 'fast-check'
import { hexToBytes, parseAddress, parseBytes32 } from '../../domain/protocol/hex.ts'
import { keccak256Hex } from '../../domain/protocol/ids.ts'
import {
  type Genesis,
  hashTypedData,
  type Message,
  messageToJson,
  normalizeSignature,
  parseMessage,
  payloadFor,
  recoverSigner,
  requireSigner,
  signTypedData,
  TYPE_NAMES,
  TYPED_DATA,
  typedDataDigest,
  typedDataDomain,
} from '../../domain/protocol/typed-data.ts'
import { proveRuns } from '../support/prove-runs.ts'

const genesis: Genesis = {
  chainId: 31337,
  gOpen: parseAddress(`0x${'11'.repeat(20)}`),
  deploymentId: parseBytes32(`0x${'22'.repeat(32)}`),
}
// The key of the EIP-712 example: keccak256("cow").
const cow = new Wallet(keccak256Hex('cow'))
const voter = parseAddress(cow.address)

const aBallot = (changes: Partial<Message<'Ballot'>> = {}): Message<'Ballot'> => ({
  proposalId: keccak256Hex('proposal'),
  voter,
  support: 1,
  nonce: 1,
  reasonHash: keccak256Hex(''),
  ...changes,
})
const coded = (code: string) => expect.objectContaining({ code })

const ORDER = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141n
const word = (n: bigint) => n.toString(16).padStart(64, '0')

/** The other spellings of a normalized signature. */
function spellings(signature: string): Record<string, string> {
  const r = signature.slice(2, 66)
  const s = BigInt(`0x${signature.slice(66, 130)}`)
  const parity = signature.endsWith('1c') ? 1n : 0n
  return {
    'v of 0 or 1': `0x${r}${word(s)}0${parity}`,
    'high s': `0x${r}${word(ORDER - s)}${parity === 0n ? '1c' : '1b'}`,
    'EIP-2098 compact': `0x${r}${word(s | (parity << 255n))}`,
    'upper case': `0x${signature.slice(2).toUpperCase()}`,
  }
}

describe('typed data', () => {
  it('digests the Ether Mail example of EIP-712', () => {
    const separator = TypedDataEncoder.hashDomain({
      name: 'Ether Mail',
      version: '1',
      chainId: 1,
      verifyingContract: '0xCcCCccccCCCCcCCCCCCcCcCccCcCCCcCcccccccC',
    })
    const structHash = TypedDataEncoder.from({
      Person: [
        { name: 'name', type: 'string' },
        { name: 'wallet', type: 'address' },
      ],
      Mail: [
        { name: 'from', type: 'Person' },
        { name: 'to', type: 'Person' },
        { name: 'contents', type: 'string' },
      ],
    }).hash({
      from: { name: 'Cow', wallet: '0xCD2a3d9F938E13CD947Ec05AbC7FE734Df8DD826' },
      to: { name: 'Bob', wallet: '0xbBbBBBBbbBBBbbbBbbBbbbbBBbBbbbbBbBbbBBbB' },
      contents: 'Hello, Bob!',
    })
    expect(separator).toBe('0xf2cee375fa42b42143804025fc449deafd50cc031ca257e0b194a650a912090f')
    const digest = typedDataDigest(hexToBytes(separator), hexToBytes(structHash))
    expect(digest).toBe('0xbe609aee343fb3c4b28e1df9e632fca64fcfaede20f02e86244efddf30957bd2')
    expect(cow.signingKey.sign(digest)).toMatchObject({
      r: '0x4355c47d63924e8a72e509b65029052eb6c299d53a04e167c5775fd466751c9d',
      s: '0x07299936d304c153f6443dfa05f40ff007d72911b6f72307f996231605b91562',
      v: 28,
    })
  })

  it('hashes every type as ethers does', () => {
    const values = {
      address: fc
        .uint8Array({ minLength: 20, maxLength: 20 })
        .map(b => `0x${Buffer.from(b).toString('hex')}`),
      bytes32: fc
        .uint8Array({ minLength: 32, maxLength: 32 })
        .map(b => `0x${Buffer.from(b).toString('hex')}`),
      string: fc.string({ unit: 'grapheme' }),
      uint8: fc.integer({ min: 0, max: 255 }),
      uint64: fc.maxSafeNat(),
      uint256: fc.bigInt({ min: 0n, max: 2n ** 256n - 1n }).map(String),
    }
    for (const type of TYPE_NAMES) {
      const fields = TYPED_DATA[type]
      const json = fc.record(Object.fromEntries(fields.map(field => [field.name, values[field.type]])))
      fc.assert(
        fc.property(json, given => {
          const message = parseMessage(type, given)
          expect(messageToJson(type, message)).toEqual(given)
          const expected = TypedDataEncoder.hash(
            { ...typedDataDomain(genesis) },
            { [type]: fields.map(field => ({ ...field })) },
            given,
          )
          expect(hashTypedData(genesis, type, message)).toBe(expected)
        }),
        proveRuns(4),
      )
    }
  })

  it('recovers who signed, and tells a signature by another key', async () => {
    const signature = await signTypedData(cow, genesis, 'Ballot', aBallot())
    expect(recoverSigner(genesis, 'Ballot', aBallot(), signature)).toBe(voter)
    requireSigner(genesis, 'Ballot', aBallot(), signature, voter)
    expect(() => requireSigner(genesis, 'Ballot', aBallot({ support: 0 }), signature, voter)).toThrow(
      coded('wrong-signer'),
    )
  })

  it('is bound to deployment, chain and token', async () => {
    const signature = await signTypedData(cow, genesis, 'Ballot', aBallot())
    const elsewhere: Genesis[] = [
      { ...genesis, chainId: 1 },
      { ...genesis, gOpen: parseAddress(`0x${'12'.repeat(20)}`) },
      { ...genesis, deploymentId: parseBytes32(`0x${'23'.repeat(32)}`) },
    ]
    for (const other of elsewhere)
      expect(recoverSigner(other, 'Ballot', aBallot(), signature)).not.toBe(voter)
  })

  it('is bound to its purpose: a veto is no appeal, although the fields are alike', () => {
    const veto = { proposalId: keccak256Hex('x'), governor: voter, reasonHash: keccak256Hex(''), nonce: 1 }
    const appeal = { decisionDigest: veto.proposalId, account: voter, reasonHash: veto.reasonHash, nonce: 1 }
    expect(hashTypedData(genesis, 'Veto', veto)).not.toBe(hashTypedData(genesis, 'Appeal', appeal))
  })

  it('gives wallets a payload that names the domain type and digests to the same', () => {
    const payload = payloadFor(genesis, 'Warrant', {
      warrantId: keccak256Hex('w'),
      proposalId: keccak256Hex('p'),
      action: 'build',
      inputHash: keccak256Hex('i'),
      budgetUsdMicro: 2n ** 60n,
      expiresAt: 1_790_000_000_000,
      ballotFileDigest: keccak256Hex('b'),
    })
    expect(Object.keys(payload.types)).toEqual(['EIP712Domain', 'Warrant'])
    const throughJson = JSON.parse(JSON.stringify(payload)) as typeof payload
    const { EIP712Domain: _domain, ...types } = throughJson.types
    expect(
      TypedDataEncoder.hash(
        throughJson.domain,
        types as Record<string, { name: string; type: string }[]>,
        throughJson.message,
      ),
    ).toBe(hashTypedData(genesis, 'Warrant', parseMessage('Warrant', payload.message)))
  })

  it.each([
    ['a field too many', { ...aBallot(), extra: 1 }],
    ['a field missing', { ...aBallot(), nonce: undefined }],
    ['a nonce as text', { ...aBallot(), nonce: '1' }],
    ['a nonce that JSON readers disagree about', { ...aBallot(), nonce: 2 ** 53 }],
    ['a negative nonce', { ...aBallot(), nonce: -1 }],
    ['a support above a byte', { ...aBallot(), support: 256 }],
    ['a short id', { ...aBallot(), proposalId: '0x12' }],
    ['a list', [aBallot()]],
    ['nothing', null],
  ])('refuses a ballot with %s', (_name, json) => {
    expect(() => parseMessage('Ballot', json)).toThrow(coded('malformed'))
  })
})

describe('signature spellings', () => {
  it('brings all spellings of one signature to one', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 32, maxLength: 32 }), bytes => {
        const digest = keccak256Hex(bytes)
        const signature = normalizeSignature(cow.signingKey.sign(digest).serialized)
        for (const other of Object.values(spellings(signature)))
          expect(normalizeSignature(other)).toBe(signature)
      }),
      proveRuns(4),
    )
  })

  it.each([
    // EIP-2098, test cases.
    [
      '0x68a020a209d3d56c46f38cc50a33f704f4a9a10a59377f8dd762ac66910e9b907e865ad05c4035ab5792787d4a0297a43617ae897930a6fe4d822b8faea52064',
      '0x68a020a209d3d56c46f38cc50a33f704f4a9a10a59377f8dd762ac66910e9b907e865ad05c4035ab5792787d4a0297a43617ae897930a6fe4d822b8faea520641b',
    ],
    [
      '0x9328da16089fcba9bececa81663203989f2df5fe1faa6291a45381c81bd17f76939c6d6b623b42da56557e5e734a43dc83345ddfadec52cbe24d0cc64f550793',
      '0x9328da16089fcba9bececa81663203989f2df5fe1faa6291a45381c81bd17f76139c6d6b623b42da56557e5e734a43dc83345ddfadec52cbe24d0cc64f5507931c',
    ],
  ])('expands the compact form of EIP-2098', (compact, full) => {
    expect(normalizeSignature(compact)).toBe(full)
  })

  it.each([
    ['too short', `0x${'11'.repeat(63)}`],
    ['too long', `0x${'11'.repeat(66)}`],
    ['v = 29', `0x${'11'.repeat(64)}1d`],
    ['r = 0', `0x${word(0n)}${word(1n)}1b`],
    ['r = n', `0x${word(ORDER)}${word(1n)}1b`],
    ['s = 0', `0x${word(1n)}${word(0n)}1b`],
    ['s = n', `0x${word(1n)}${word(ORDER)}1b`],
    ['not hex', `0x${'zz'.repeat(65)}`],
  ])('refuses %s', (_name, signature) => {
    expect(() => normalizeSignature(signature)).toThrow(coded('bad-signature'))
  })

  it('refuses an r that is no point of the curve', () => {
    // x = 5 has no y on secp256k1.
    const signature = `0x${word(5n)}${word(1n)}1b`
    expect(() => recoverSigner(genesis, 'Ballot', aBallot(), signature)).toThrow(coded('bad-signature'))
  })
})
