import { gunzipSync, gzipSync } from 'node:zlib'
import type { CastBallot } from '../../api/schemas/governance.ts'
import { OpenLedgerError } from '../errors.ts'
import { canonicalJson } from '../protocol/canonical-json.ts'
import { type Bytes32, parseAddress, parseHex } from '../protocol/hex.ts'
import { keccak256Hex } from '../protocol/ids.ts'
import { requireSigner } from '../protocol/typed-data.ts'
import type { Genesis } from './genesis.ts'
import type { Ballot, Proposal, Review, SnapshotBlock, Tally } from './proposal.ts'

export type BallotFileResult = {
  readonly outcome: 'passed' | 'defeated'
  readonly tally: Tally
  readonly voters: number
  readonly quorumWei: bigint
}

/**
 * The public ballot file of docs/protocol.md: gzip over NDJSON, a header and then every valid ballot sorted by
 * voter and nonce, `counted` only for the highest nonce of each. No arrival times: they would tell who votes
 * when. gzip carries no time stamp, so equal ballots give equal bytes.
 */
export function ballotFile(
  genesis: Genesis,
  proposal: Proposal,
  parts: {
    reviews: readonly Review[]
    snapshot: SnapshotBlock
    totalSupplyWei: bigint
    ballots: readonly Ballot[]
    result: BallotFileResult
  },
): Uint8Array {
  const header = {
    kind: 'ballots',
    schema: 1,
    genesis: { chainId: genesis.chainId, gOpen: genesis.gOpen, deploymentId: genesis.deploymentId },
    governors: genesis.governors,
    rules: proposal.rules,
    proposal: proposal.document,
    proposalSignature: proposal.signature,
    reviews: [...parts.reviews]
      .sort((a, b) => (a.governor < b.governor ? -1 : 1))
      .map(({ governor, decision, reason, nonce, signature }) => ({
        governor,
        decision,
        reason,
        nonce,
        signature,
      })),
    powerSource: {
      blockNumber: parts.snapshot.number,
      blockHash: parts.snapshot.hash,
      totalSupply: String(parts.totalSupplyWei),
    },
    result: {
      outcome: parts.result.outcome,
      against: String(parts.result.tally.againstWei),
      for: String(parts.result.tally.forWei),
      abstain: String(parts.result.tally.abstainWei),
      voters: parts.result.voters,
      quorum: String(parts.result.quorumWei),
    },
  }
  const lines = [header, ...ballotLines(parts.ballots)].map(line => `${canonicalJson(line)}\n`)
  return new Uint8Array(gzipSync(lines.join(''), { level: 9 }))
}

export type BallotLine = {
  readonly voter: string
  readonly support: CastBallot['support']
  readonly nonce: number
  readonly reason: string
  readonly signature: string
  readonly power: string
  readonly counted: boolean
}

function ballotLines(ballots: readonly Ballot[]): BallotLine[] {
  const counted = countedBallots(ballots)
  return [...ballots]
    .sort((a, b) => (a.voter === b.voter ? a.nonce - b.nonce : a.voter < b.voter ? -1 : 1))
    .map(ballot => ({
      voter: ballot.voter,
      support: ballot.support,
      nonce: ballot.nonce,
      reason: ballot.reason,
      signature: ballot.signature,
      power: String(ballot.powerWei),
      counted: counted.get(ballot.voter) === ballot,
    }))
}

/** The ballot with the highest nonce of each voter, independent of arrival order. */
export function countedBallots(ballots: readonly Ballot[]): Map<string, Ballot> {
  const counted = new Map<string, Ballot>()
  for (const ballot of ballots) {
    const other = counted.get(ballot.voter)
    if (other === undefined || ballot.nonce > other.nonce) counted.set(ballot.voter, ballot)
  }
  return counted
}

/** The tally of the counted ballots. */
export function tallyOf(ballots: Iterable<Ballot>): Tally & { voters: number } {
  let againstWei = 0n
  let forWei = 0n
  let abstainWei = 0n
  let voters = 0
  for (const { support, powerWei } of ballots) {
    if (support === 0) againstWei += powerWei
    else if (support === 1) forWei += powerWei
    else abstainWei += powerWei
    voters += 1
  }
  return { againstWei, forWei, abstainWei, voters }
}

export type BallotFileHeader = {
  readonly proposal: unknown
  readonly rules: unknown
  readonly powerSource: { readonly totalSupply: string }
}

/**
 * Reads a ballot file back; signatures are checked by `recountBallotFile`.
 * @throws OpenLedgerError malformed
 */
export function readBallotFile(bytes: Uint8Array): { header: BallotFileHeader; ballots: BallotLine[] } {
  try {
    const lines = gunzipSync(bytes, { maxOutputLength: MAX_BALLOT_FILE_BYTES })
      .toString('utf8')
      .split('\n')
      .filter(line => line !== '')
    const [header, ...ballots] = lines.map(line => JSON.parse(line) as unknown)
    return { header: header as BallotFileHeader, ballots: ballots as BallotLine[] }
  } catch (cause) {
    throw new OpenLedgerError('malformed', 'This is not a ballot file', {
      expected: 'gzip over NDJSON',
      cause,
    })
  }
}

/** A million ballots at about 400 bytes. */
const MAX_BALLOT_FILE_BYTES = 512_000_000

/**
 * Tallies a ballot file again from its signatures: what stands in `counted` or in the header's result is not
 * believed. Powers are the file's; the offline verifier compares them with the chain.
 * @throws OpenLedgerError bad-signature, wrong-signer, malformed
 */
export function recountBallotFile(
  genesis: Genesis,
  proposalId: Bytes32,
  lines: readonly BallotLine[],
): Tally & { voters: number } {
  const ballots = lines.map(line => {
    const voter = parseAddress(line.voter)
    const reasonHash = keccak256Hex(line.reason)
    requireSigner(
      genesis,
      'Ballot',
      { proposalId, voter, support: line.support, nonce: line.nonce, reasonHash },
      line.signature,
      voter,
    )
    return {
      voter,
      support: line.support,
      nonce: line.nonce,
      reason: line.reason,
      signature: parseHex(line.signature),
      powerWei: BigInt(line.power),
      receivedAt: 0,
    }
  })
  return tallyOf(countedBallots(ballots).values())
}
