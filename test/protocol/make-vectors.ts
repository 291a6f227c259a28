/**
 * The test vectors of docs/protocol.md. `node test/protocol/make-vectors.ts` writes
 * docs/generated/protocol-vectors.json; vectors.test.ts shows that they hold.
 */
import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Wallet } from 'ethers'
import { canonicalJson, parseCanonical } from '../../domain/protocol/canonical-json.ts'
import {
  bytesToDigits,
  hexToBytes,
  parseAddress,
  parseBytes32,
  type Sha256Hex,
} from '../../domain/protocol/hex.ts'
import { documentDigest, documentId, keccak256Hex, resourceName } from '../../domain/protocol/ids.ts'
import {
  consistencyProof,
  inclusionProof,
  leafHash,
  levelsReader,
  root,
  treeLevels,
} from '../../domain/protocol/merkle-log.ts'
import { payoutLeafHash, payoutTree } from '../../domain/protocol/payout-tree.ts'
import { datasetPart, recordHash, recordSalt, recordsRoot } from '../../domain/protocol/record-hash.ts'
import { checkpointBody, logOrigin, verifierKey } from '../../domain/protocol/signed-note.ts'
import {
  encodeBundle,
  entriesPath,
  placeOfNode,
  tilePath,
  tilesToWrite,
} from '../../domain/protocol/tiles.ts'
import {
  type Genesis,
  hashTypedData,
  type Message,
  messageToJson,
  parseMessage,
  payloadFor,
  signTypedData,
  TYPE_NAMES,
  TYPED_DATA,
  type TypeName,
} from '../../domain/protocol/typed-data.ts'
import { splitRevenue } from '../../domain/rewards/split-revenue.ts'
import { aFrozenSubmission, aLog, aLogKey, aVersion, aVote } from '../verify/a-life.ts'
import { accountOf, aPayout } from '../verify/a-payout.ts'

export const VECTORS_FILE = fileURLToPath(
  new URL('../../docs/generated/protocol-vectors.json', import.meta.url),
)

const genesis: Genesis = {
  chainId: 31337,
  gOpen: parseAddress(`0x${'aa'.repeat(20)}`),
  deploymentId: parseBytes32(keccak256Hex('a deployment')),
}
const signingKey = keccak256Hex('a private key for vectors only')
const signer = new Wallet(signingKey)
const signerAddress = parseAddress(signer.address)

function canonicalVectors() {
  const texts = [
    '{"b": 1, "a": [true, null, "\\u20ac"], "\\ud83d\\ude00": 0, "\\ufb33": -0.0}',
    '{"number": [333333333.33333329, 4.50, 2e-3, 0.000000000000000000000000001, 9007199254740991]}',
    '"\\u000f\\n\\u007f\\"\\\\\\/"',
  ]
  const refused = ['{"a":1,"a":2}', '9007199254740992', '1e30', '"\\ud800"', '[1,]', 'NaN', '{"a":1}x']
  return {
    accepted: texts.map(text => {
      const value = parseCanonical(text)
      return {
        text,
        canonical: canonicalJson(value),
        documentId: documentId(value),
        documentDigest: documentDigest(value),
      }
    }),
    refused,
  }
}

/** A plain value for each type of field. */
const EXAMPLES = {
  address: () => signerAddress,
  bytes32: (name: string) => keccak256Hex(name),
  string: (name: string) => `text of ${name} €`,
  uint8: () => 1,
  uint64: (_name: string, at: number) => 1_767_225_600_000 + at,
  uint256: (_name: string, at: number) => String(2n ** 64n + BigInt(at)),
}

function exampleMessage<N extends TypeName>(type: N): Message<N> {
  const json = Object.fromEntries(
    TYPED_DATA[type].map((field, at) => [field.name, EXAMPLES[field.type](`${type}.${field.name}`, at)]),
  )
  return parseMessage(type, json)
}

async function typedDataVectors() {
  const messages = await Promise.all(
    TYPE_NAMES.map(async type => {
      const message = exampleMessage(type)
      return {
        type,
        encodedType: `${type}(${TYPED_DATA[type].map(field => `${field.type} ${field.name}`).join(',')})`,
        message: messageToJson(type, message),
        digest: hashTypedData(genesis, type, message),
        signature: await signTypedData(signer, genesis, type, message),
      }
    }),
  )
  const { domain, types } = payloadFor(genesis, 'Petition', exampleMessage('Petition'))
  const [first] = messages
  const signature = first!.signature
  const s = BigInt(`0x${signature.slice(66, 130)}`)
  const order = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141n
  const parity = signature.endsWith('1c') ? 1n : 0n
  const word = (value: bigint) => value.toString(16).padStart(64, '0')
  const spellings = [
    `${signature.slice(0, 130)}0${parity}`,
    `${signature.slice(0, 66)}${word(order - s)}${parity === 0n ? '1c' : '1b'}`,
    `${signature.slice(0, 66)}${word(s | (parity << 255n))}`,
  ]
  return {
    genesis,
    privateKey: signingKey,
    address: signerAddress,
    domain,
    domainType: types.EIP712Domain,
    messages,
    spellings: { stored: signature, others: spellings },
  }
}

function logVectors() {
  const entries = [
    '',
    '00',
    '10',
    '2021',
    '3031',
    '40414243',
    '5051525354555657',
    '606162636465666768696a6b6c6d6e6f',
  ]
  const hashes = entries.map(entry => leafHash(hexToBytes(entry)))
  const node = levelsReader(treeLevels(hashes))
  const hex = (list: readonly Uint8Array[]) => list.map(bytesToDigits)
  const pairs = [
    [0, 1],
    [0, 8],
    [5, 8],
    [2, 3],
    [6, 7],
  ] as const
  const sizes = [
    [1, 8],
    [6, 8],
    [4, 8],
    [2, 5],
    [7, 7],
    [0, 3],
  ] as const
  return {
    entries,
    leafHashes: hex(hashes),
    roots: hashes.map((_, at) => bytesToDigits(root(hashes.slice(0, at + 1)))),
    emptyRoot: bytesToDigits(root([])),
    inclusion: pairs.map(([index, size]) => ({ index, size, proof: hex(inclusionProof(index, size, node)) })),
    consistency: sizes.map(([first, second]) => ({
      first,
      second,
      proof: hex(consistencyProof(first, second, node)),
    })),
    tiles: {
      paths: [
        tilePath({ level: 0, index: 1_234_067, width: 256 }),
        tilePath({ level: 1, index: 0, width: 17 }),
        entriesPath(273, 112),
      ],
      ofSize70000: tilesToWrite(0, 70_000)
        .filter(tile => tile.level > 0 || tile.index > 271)
        .map(tilePath),
      placeOfNodeLevel9Index3InSize70000: placeOfNode(9, 3, 70_000),
      bundleOfFirstThreeEntries: bytesToDigits(encodeBundle(entries.slice(0, 3).map(hexToBytes))),
    },
    head: {
      origin: logOrigin(genesis),
      text: checkpointBody(logOrigin(genesis), 8, root(hashes)),
      verifierKey: verifierKey(aLogKey(genesis)),
    },
  }
}

function recordVectors() {
  const seed = hexToBytes('5e'.repeat(32))
  const records = [
    { instruction: 'List the buckets', output: 's3:ListAllMyBuckets', group: 's3' },
    { output: 's3:PutObject (Write)', instruction: 'Store an object', group: 's3' },
    { instruction: 'Größe', output: '€', group: 'x' },
  ]
  const hashes = records.map((record, index) => recordHash(recordSalt(seed, index), record))
  const part = datasetPart(hashes)
  return {
    seed: bytesToDigits(seed),
    records: records.map((record, index) => ({
      index,
      record,
      salt: bytesToDigits(recordSalt(seed, index)),
      recordHash: hashes[index] as Sha256Hex,
    })),
    recordsRoot: recordsRoot(hashes),
    part: { hashes: part.hashes, root: part.root },
  }
}

function payoutVectors() {
  const leaves = [1, 2, 3, 4, 5].map(n => ({
    account: parseAddress(`0x${`0${n}`.repeat(20)}`),
    cumulativeAmount: 10n ** BigInt(3 * n),
  }))
  const tree = payoutTree(leaves)
  const split = (amount: bigint, weights: readonly bigint[], reserveWeight: bigint) => {
    const rows = weights.map((weight, at) => ({ account: leaves[at]!.account, weight }))
    const made = splitRevenue(amount, rows, reserveWeight)
    return {
      amount: String(amount),
      weights: weights.map(String),
      reserveWeight: String(reserveWeight),
      shares: made.shares.map(share => String(share.amount)),
      reserve: String(made.reserve),
    }
  }
  return {
    tree: {
      leaves: leaves.map(leaf => ({
        account: leaf.account,
        cumulativeAmount: String(leaf.cumulativeAmount),
        hash: payoutLeafHash(leaf),
        proof: tree.proof(leaf.account),
      })),
      root: tree.root,
    },
    splits: [
      split(100n, [1n, 1n, 1n], 0n),
      split(101n, [1n, 1n, 1n], 1n),
      split(7n, [0n, 0n], 0n),
      split(10n ** 30n + 1n, [333_333n, 1_000_000n, 0n, 7n], 0n),
    ],
  }
}

/** Everything that follows from this file alone, the same on every machine. */
export async function primitiveVectors() {
  return {
    canonicalJson: canonicalVectors(),
    typedData: await typedDataVectors(),
    log: logVectors(),
    records: recordVectors(),
    payouts: payoutVectors(),
    names: [
      {
        stage: 'prod',
        kind: 'fine-tune',
        id: genesis.deploymentId,
        attempt: 2,
        name: resourceName('prod', 'fine-tune', genesis.deploymentId, 2),
      },
    ],
  }
}

/** Whole evidence as a verifier gets it, with the facts to trust; gzip may differ between machines. */
async function evidenceVectors() {
  const vote = await aVote()
  const version = await aVersion(vote)
  const records = await aFrozenSubmission()
  const log = await aLog(vote.genesis, [{ kind: 'genesis' }])
  const payout = aPayout(null)
  return {
    trust: vote.trust,
    logHead: log.proofAt(0).checkpoint,
    vote: {
      proposalId: vote.proposal.id,
      ballotFileSha256: vote.result.ballotFile.sha256,
      ballotFileBase64: Buffer.from(vote.file).toString('base64'),
    },
    version: {
      versionId: version.versionId,
      lineage: version.lineage,
      warrant: {
        id: version.warrant.id,
        document: version.warrant.document,
        signature: version.warrant.signature,
        input: version.warrant.input,
      },
      logProof: version.logProof,
      weightsManifest: version.weightsManifest,
    },
    records: {
      trust: records.trust,
      datasetId: records.datasetId,
      inTrain: records.proofOf(0),
      inDev: records.proofOf(records.indexInDev),
      inNone: records.proofOf(3),
    },
    payout: {
      first: payout.file,
      second: aPayout(payout, { revenue: 77n, penalties: [{ account: accountOf(1), amount: 5n }] }).file,
    },
  }
}

if (import.meta.main) {
  const vectors = {
    _generated: 'node test/protocol/make-vectors.ts',
    ...(await primitiveVectors()),
    evidence: await evidenceVectors(),
  }
  mkdirSync(dirname(VECTORS_FILE), { recursive: true })
  writeFileSync(VECTORS_FILE, `${JSON.stringify(vectors, null, 1)}\n`)
  process.stdout.write(`${VECTORS_FILE}\n`)
}
