import {
  bytes32ToSha256,
  bytesToHex,
  checksumAddress,
  compareBytes,
  hexToBytes,
  parseAddress,
  parseBytes32,
  parseHex,
  parseSha256Hex,
  sha256ToBytes32,
} from '../../domain/protocol/hex.ts'
import {
  documentDigest,
  documentId,
  keccak256Hex,
  resourceName,
  sha256Hex,
} from '../../domain/protocol/ids.ts'

const malformed = expect.objectContaining({ code: 'malformed' })

describe('hex at the edge', () => {
  // The examples of EIP-55.
  const checksummed = [
    '0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed',
    '0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359',
    '0xdbF03B407c01E7cD3CBea99509d93f8DDDC8C6FB',
    '0xD1220A0cf47c7B9Be7A2E6BA89F429762e7b9aDb',
  ]

  it.each(checksummed)('takes %s in any one case and gives its checksum back', text => {
    expect(parseAddress(text)).toBe(text.toLowerCase())
    expect(parseAddress(text.toLowerCase())).toBe(text.toLowerCase())
    expect(parseAddress(`0x${text.slice(2).toUpperCase()}`)).toBe(text.toLowerCase())
    expect(checksumAddress(parseAddress(text))).toBe(text)
  })

  it('refuses an address with a typing mistake that the checksum shows', () => {
    expect(() => parseAddress('0x5aaeb6053F3E94C9b9A09f33669435E7Ef1BeAed')).toThrow(malformed)
  })

  it.each([['0x12'], ['5aaeb6053f3e94c9b9a09f33669435e7ef1beaed'], [null], [12], [`0x${'g'.repeat(40)}`]])(
    'refuses %s as an address',
    text => {
      expect(() => parseAddress(text)).toThrow(malformed)
    },
  )

  it('keeps 32 bytes apart by spelling: contracts with 0x, the log without', () => {
    const digits = 'ab'.repeat(32)
    expect(parseBytes32(`0x${digits.toUpperCase()}`)).toBe(`0x${digits}`)
    expect(bytes32ToSha256(sha256ToBytes32(parseSha256Hex(digits)))).toBe(digits)
    for (const wrong of [`0x${digits}`, digits.toUpperCase(), digits.slice(2)])
      expect(() => parseSha256Hex(wrong)).toThrow(malformed)
    expect(() => parseBytes32(digits)).toThrow(malformed)
  })

  it('reads and writes bytes', () => {
    expect(bytesToHex(hexToBytes('0x00ff10'))).toBe('0x00ff10')
    expect(parseHex('0xABCD')).toBe('0xabcd')
    for (const wrong of ['0xabc', 'zz']) expect(() => hexToBytes(wrong)).toThrow(malformed)
    expect(compareBytes(hexToBytes('01'), hexToBytes('0100'))).toBeLessThan(0)
    expect(compareBytes(hexToBytes('02'), hexToBytes('0100'))).toBeGreaterThan(0)
  })
})

describe('digests and names', () => {
  it('hashes the published vectors', () => {
    // FIPS 180-4 example; Keccak team's empty message.
    expect(sha256Hex('abc')).toBe('ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad')
    expect(keccak256Hex('')).toBe('0xc5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470')
  })

  it('gives one id to one document, however its members are ordered', () => {
    expect(documentId({ b: 1, a: 2 })).toBe(keccak256Hex('{"a":2,"b":1}'))
    expect(documentDigest({ b: 1, a: 2 })).toBe(sha256Hex('{"a":2,"b":1}'))
  })

  it('names a resource by stage, kind, id and attempt', () => {
    const id = documentId({ a: 1 })
    expect(resourceName('local', 'fine-tune', id, 2)).toBe(`local-fine-tune-${id.slice(2, 22)}-2`)
  })

  it.each([
    ['Prod', 'fine-tune', `${'ab'.repeat(32)}`, 1],
    ['prod', 'fine_tune', `${'ab'.repeat(32)}`, 1],
    ['prod', 'fine-tune', 'abc', 1],
    ['prod', 'fine-tune', `${'ab'.repeat(32)}`, 0],
    ['prod-', 'fine-tune', `${'ab'.repeat(32)}`, 1],
    ['p'.repeat(32), 'fine-tune', `${'ab'.repeat(32)}`, 1],
  ])('refuses the name %s-%s-%s-%s, which AWS would refuse later', (stage, kind, id, attempt) => {
    expect(() => resourceName(stage, kind, id, attempt)).toThrow(malformed)
  })
})
