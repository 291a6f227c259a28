/** The ballot file of docs/protocol.md section 8: who may decide, who signed what, and what follows. */
import { gunzip, keccak256, sha256, toHex, utf8ToBytes } from './bytes.ts'
import { documentId, parseCanonicalText } from './canonical-json.ts'
import { checkLogProof } from './log-proof.ts'
import { type Report, same, verification } from './report.ts'
import {
  asAddress,
  asAmount,
  asArray,
  asBytes32,
  asCount,
  asFlag,
  asInstant,
  asObject,
  asText,
  type Json,
} from './shape.ts'
import {
  asDomain,
  asGovernors,
  NO_DEPLOYMENT,
  NO_GOVERNORS,
  requireDomain,
  requireGovernors,
  type Trust,
} from './trust.ts'
import { type Domain, signerOf, type TypeName } from './typed-data.ts'

/** About a million ballots; a larger file is read by other means. */
const MAX_UNPACKED_BYTES = 512_000_000

export interface BallotFile {
  readonly proposalId: string
  /** The proposal document as it was voted. */
  readonly proposal: Json
  readonly domain: Domain
  readonly closesAt: number
  readonly outcome: 'passed' | 'defeated'
  /** SHA-256 of the file, hex without 0x. */
  readonly sha256: string
}

export interface BallotExpectations extends Trust {
  /** SHA-256 of the file as a result or a warrant names it. */
  readonly fileSha256?: string
  readonly proposalId?: string
  /** Proof of the log's `vote` leaf. */
  readonly voteProof?: unknown
  /**
   * `getPastVotes(voter, opensAt)` of gOPEN at the file's block, in base units, read by the caller from a chain
   * that it trusts; and the total supply when `voter` is null.
   */
  readonly powerOf?: (
    voter: string | null,
    opensAtSeconds: number,
    block: { number: number; hash: string },
  ) => Promise<bigint>
}

interface BallotLine {
  readonly voter: string
  readonly support: number
  readonly nonce: number
  readonly power: bigint
  readonly counted: boolean
}

const hashText = (text: string) => `0x${toHex(keccak256(utf8ToBytes(text)))}`

function requireSigned(
  domain: Domain,
  type: TypeName,
  message: Json,
  signature: unknown,
  signer: string,
  whose: string,
): void {
  const seen = signerOf(domain, type, message, asText(signature, `${whose}.signature`))
  if (seen !== signer) throw new Error(`${whose}: signed by ${seen}, not by ${signer}`)
}

/** Verifies a ballot file and recounts it. */
export async function verifyBallots(file: Uint8Array, expected: BallotExpectations = {}): Promise<Report> {
  return (await readBallots(file, expected)).report
}

/** The same, with what the file says for verifications that rest on it; undefined unless the report is ok. */
export async function readBallots(
  file: Uint8Array,
  expected: BallotExpectations = {},
): Promise<{ report: Report; ballots: BallotFile | undefined }> {
  let ballots: BallotFile | undefined
  const report = await verification(async list => {
    const digest = toHex(sha256(file))
    const text = await list.checkLater('file', async () => {
      if (expected.fileSha256 !== undefined) same('the digest of the file', expected.fileSha256, digest)
      return [`SHA-256 ${digest}`, await gunzip(file, MAX_UNPACKED_BYTES)] as const
    })

    const { header, rows } = list.check('format', () => {
      if (!text.endsWith('\n')) throw new Error('the last line is cut off')
      const lines = text.slice(0, -1).split('\n')
      const values = lines.map((line, at) => {
        try {
          return asObject(parseCanonicalText(line), `line ${at + 1}`)
        } catch (error) {
          throw new Error(`line ${at + 1}: ${(error as Error).message}`)
        }
      })
      const first = asObject(values[0], 'the header')
      same('the kind', 'ballots', first.kind)
      same('the schema', 1, first.schema)
      return [`${values.length - 1} ballots`, { header: first, rows: values.slice(1) }]
    })

    const domain = list.check('deployment', () => {
      const own = asDomain(header.genesis, 'genesis')
      if (expected.genesis !== undefined) requireDomain(expected.genesis, own)
      return [`${own.deploymentId} on chain ${own.chainId}`, own]
    })
    if (expected.genesis === undefined) list.notChecked.push(NO_DEPLOYMENT)

    const proposal = list.check('proposal', () => {
      const document = asObject(header.proposal, 'proposal')
      const id = documentId(document)
      if (expected.proposalId !== undefined) same('the proposal', expected.proposalId, id)
      same('the deployment of the proposal', domain.deploymentId, document.deploymentId)
      const proposer = asAddress(document.proposer, 'proposal.proposer')
      const message = { proposalId: id, proposer, nonce: asCount(document.nonce, 'proposal.nonce') }
      requireSigned(domain, 'Proposal', message, header.proposalSignature, proposer, 'the proposal')
      const opensAt = asInstant(document.opensAt, 'proposal.opensAt')
      const closesAt = asInstant(document.closesAt, 'proposal.closesAt')
      return [`${id} by ${proposer}`, { id, document, opensAt, closesAt }]
    })

    const rules = list.check('rules', () => {
      const own = asObject(header.rules, 'rules')
      same('the digest of the rules', asBytes32(proposal.document.rules, 'proposal.rules'), documentId(own))
      const seconds = asCount(own.votingPeriodSeconds, 'rules.votingPeriodSeconds')
      same('the voting period in seconds', seconds, (proposal.closesAt - proposal.opensAt) / 1000)
      const quorumPpm = asCount(own.quorumPpm, 'rules.quorumPpm')
      const counts = asText(own.quorumCounts, 'rules.quorumCounts')
      if (counts !== 'for' && counts !== 'for-and-abstain') throw new Error(`rules.quorumCounts is ${counts}`)
      return [asText(own.name, 'rules.name'), { quorumPpm, counts }]
    })

    list.check('review', () => {
      const governors = asGovernors(header.governors, 'governors')
      if (expected.governors !== undefined) requireGovernors(expected.governors, governors)
      const seen = new Set<string>()
      let admits = 0
      for (const [at, value] of asArray(header.reviews, 'reviews').entries()) {
        const review = asObject(value, `reviews[${at}]`)
        const governor = asAddress(review.governor, `reviews[${at}].governor`)
        if (!governors.addresses.includes(governor)) throw new Error(`${governor} is no governor`)
        if (seen.has(governor)) throw new Error(`${governor} reviewed twice`)
        seen.add(governor)
        const decision = asText(review.decision, `reviews[${at}].decision`)
        if (decision !== 'admit' && decision !== 'reject') throw new Error(`a review says ${decision}`)
        const message = {
          proposalId: proposal.id,
          governor,
          decision: decision === 'admit' ? 1 : 0,
          reasonHash: hashText(asText(review.reason, `reviews[${at}].reason`)),
          nonce: asCount(review.nonce, `reviews[${at}].nonce`),
        }
        requireSigned(domain, 'Review', message, review.signature, governor, `the review of ${governor}`)
        if (decision === 'admit') admits += 1
      }
      if (admits < governors.threshold)
        throw new Error(`${admits} of the ${governors.threshold} governors that are needed admitted it`)
      return `${admits} of ${governors.addresses.length} governors admitted it, ${governors.threshold} were needed`
    })
    if (expected.governors === undefined) list.notChecked.push(NO_GOVERNORS)

    const lines = list.check('signatures', () => {
      const read = rows.map((row, at): BallotLine => {
        const whose = `ballot ${at + 1}`
        const voter = asAddress(row.voter, `${whose}.voter`)
        const support = asCount(row.support, `${whose}.support`)
        if (support > 2) throw new Error(`${whose} supports ${support}`)
        const nonce = asCount(row.nonce, `${whose}.nonce`)
        const reasonHash = hashText(asText(row.reason, `${whose}.reason`))
        const message = { proposalId: proposal.id, voter, support, nonce, reasonHash }
        requireSigned(domain, 'Ballot', message, row.signature, voter, `${whose} of ${voter}`)
        const power = asAmount(row.power, `${whose}.power`)
        return { voter, support, nonce, power, counted: asFlag(row.counted, `${whose}.counted`) }
      })
      return [`${read.length} ballots are signed by their voters`, read]
    })

    list.check('one ballot per voter', () => {
      const numbered = [...lines.entries()]
      for (const [at, line] of numbered) {
        const before = lines[at - 1]
        if (before === undefined || before.voter < line.voter) continue
        if (before.voter > line.voter || before.nonce >= line.nonce)
          throw new Error(`ballot ${at + 1} is out of order: voters ascend, and nonces of a voter`)
        if (before.power !== line.power)
          throw new Error(`${line.voter} has two powers: ${before.power} and ${line.power}`)
      }
      for (const [at, line] of numbered) {
        const isLast = lines[at + 1]?.voter !== line.voter
        if (line.counted !== isLast)
          throw new Error(
            `ballot ${at + 1} of ${line.voter} is ${line.counted ? '' : 'not '}marked as counted`,
          )
      }
      const voters = lines.filter(line => line.counted).length
      return `${voters} voters, ${lines.length - voters} superseded ballots`
    })

    const totalSupply = await list.checkLater('power', async () => {
      const source = asObject(header.powerSource, 'powerSource')
      const supply = asAmount(source.totalSupply, 'powerSource.totalSupply')
      const number = asCount(source.blockNumber, 'powerSource.blockNumber')
      const block = { number, hash: asBytes32(source.blockHash, 'powerSource.blockHash') }
      const voted = lines.filter(line => line.counted).reduce((sum, line) => sum + line.power, 0n)
      if (voted > supply) throw new Error(`${voted} voted, and only ${supply} exist`)
      const zero = lines.find(line => line.power === 0n)
      if (zero !== undefined) throw new Error(`${zero.voter} has no power`)
      const { powerOf } = expected
      if (powerOf !== undefined) {
        const opensAt = proposal.opensAt / 1000
        same('the total supply', await powerOf(null, opensAt, block), supply)
        for (const line of lines.filter(one => one.counted))
          same(`the power of ${line.voter}`, await powerOf(line.voter, opensAt, block), line.power)
      }
      const compared = powerOf === undefined ? 'as the file says' : 'as the chain says'
      return [`${voted} of ${supply} voted, ${compared} at block ${number}`, supply] as const
    })
    if (expected.powerOf === undefined)
      list.notChecked.push('that the powers are those of the chain: no chain was given to compare with')
    list.notChecked.push('that ballots arrived in time and none was left out: receipts show that')

    const tally = list.check('tally', () => {
      const sums = [0n, 0n, 0n]
      const counted = lines.filter(line => line.counted)
      for (const line of counted) sums[line.support]! += line.power
      const [against, inFavor, abstain] = sums as [bigint, bigint, bigint]
      const result = asObject(header.result, 'result')
      same('the sum against', against, asAmount(result.against, 'result.against'))
      same('the sum for', inFavor, asAmount(result.for, 'result.for'))
      same('the sum of abstentions', abstain, asAmount(result.abstain, 'result.abstain'))
      same('the number of voters', counted.length, asCount(result.voters, 'result.voters'))
      return [`${inFavor} for, ${against} against, ${abstain} abstain`, { against, inFavor, abstain, result }]
    })

    list.check('outcome', () => {
      const quorum = (totalSupply * BigInt(rules.quorumPpm)) / 1_000_000n
      same('the quorum', quorum, asAmount(tally.result.quorum, 'result.quorum'))
      const present = tally.inFavor + (rules.counts === 'for-and-abstain' ? tally.abstain : 0n)
      const outcome = present >= quorum && tally.inFavor > tally.against ? 'passed' : 'defeated'
      same('the outcome', outcome, asText(tally.result.outcome, 'result.outcome'))
      ballots = {
        proposalId: proposal.id,
        proposal: proposal.document,
        domain,
        closesAt: proposal.closesAt,
        outcome,
        sha256: digest,
      }
      return `${outcome}: ${present} of ${quorum} towards the quorum`
    })

    if (expected.voteProof !== undefined) {
      const { leaf } = checkLogProof(list, 'log', expected.voteProof, { ...expected, genesis: domain })
      list.check('log leaf', () => {
        same('the kind of the leaf', 'vote', leaf.kind)
        same('the proposal in the log', proposal.id, leaf.proposalId)
        same('the ballot file in the log', digest, leaf.ballotFile)
        same('the outcome in the log', asText(tally.result.outcome, 'result.outcome'), leaf.outcome)
        return `logged as ${String(leaf.outcome)}`
      })
    } else list.notChecked.push('that the vote is in the log: no proof was given')
  })
  return { report, ballots: report.ok ? ballots : undefined }
}
