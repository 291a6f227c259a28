import type {
  Action,
  AlignInput,
  BuildInput,
  ReleaseInput,
  WarrantDocument,
} from '../../api/schemas/governance.ts'
import * as schemas from '../../api/schemas/governance.ts'
import { OpenLedgerError } from '../errors.ts'
import { type Address, type Bytes32, parseBytes32, parseSha256Hex, sha256ToBytes32 } from '../protocol/hex.ts'
import { documentId, sha256Hex } from '../protocol/ids.ts'
import { hashTypedData, recoverSigner } from '../protocol/typed-data.ts'
import { readBallotFile, recountBallotFile } from './ballot-file.ts'
import { decideOutcome } from './decide-outcome.ts'
import type { Genesis } from './genesis.ts'
import type { DigestSigner, StoredWarrant, WarrantAction } from './ports.ts'
import { executionDeadlineMs, type Proposal, type VoteResult } from './proposal.ts'

/** The three machines that start only with a warrant. */
export type WarrantedMachine = 'fine-tune' | 'align' | 'release'

/** What a warranted machine is started with; its first state checks all of it. */
export type WarrantedInput = {
  readonly schema: 1
  readonly warrant: { readonly id: Bytes32; readonly document: WarrantDocument; readonly signature: string }
  readonly input: unknown
  readonly runId: Bytes32
  readonly attempt: number
}

/** The run of a warrant's attempt has one id, so that a repeated start finds the first. */
export function runIdOf(warrantId: Bytes32, attempt: number): Bytes32 {
  return documentId({ warrantId, attempt })
}

/**
 * Signs permission for one action with one exact input and budget. The document follows from the vote alone,
 * so a repeated call makes the same warrant.
 */
export async function makeWarrant(
  deps: { genesis: Genesis; signer: DigestSigner },
  proposal: Proposal,
  result: VoteResult,
  action: WarrantAction,
  input: StoredWarrant['input'],
): Promise<StoredWarrant> {
  const document: WarrantDocument = {
    schema: 1,
    deploymentId: deps.genesis.deploymentId,
    proposalId: proposal.id,
    action,
    inputHash: documentId(input),
    budgetUsdMicro: proposal.document.action.budgetUsdMicro,
    expiresAt: new Date(executionDeadlineMs(proposal, result)).toISOString(),
    ballotFileSha256: result.ballotFile.sha256,
  }
  const id = documentId(document)
  const signature = await deps.signer.sign(
    hashTypedData(deps.genesis, 'Warrant', warrantMessage(id, document)),
  )
  return { id, document, signature, input, usedBy: null, attempts: 0, succeeded: false }
}

function warrantMessage(id: Bytes32, document: WarrantDocument) {
  return {
    warrantId: id,
    proposalId: parseBytes32(document.proposalId),
    action: document.action,
    inputHash: parseBytes32(document.inputHash),
    budgetUsdMicro: BigInt(document.budgetUsdMicro),
    expiresAt: Date.parse(document.expiresAt),
    ballotFileDigest: sha256ToBytes32(parseSha256Hex(document.ballotFileSha256)),
  }
}

/**
 * Checks everything about a warrant that needs no store: signer, deployment, action, expiry, the input's hash,
 * and the vote itself, tallied again from the ballot file.
 * @throws OpenLedgerError warrant-missing, warrant-invalid, warrant-expired, warrant-input-mismatch
 */
export function checkWarrant(
  facts: {
    genesis: Genesis
    signer: Address
    now: number
    ballotFile: Uint8Array | null
    parentOutput: ParentOutput
  },
  machine: WarrantAction,
  started: unknown,
): WarrantedInput {
  const given = parseStarted(started)
  const { document } = given.warrant
  const refuse = (message: string, expected: string, seen: string) => {
    throw new OpenLedgerError('warrant-invalid', message, { expected, seen })
  }
  if (documentId(document) !== given.warrant.id)
    refuse("The warrant's id is not the hash of its document", documentId(document), given.warrant.id)
  if (document.deploymentId !== facts.genesis.deploymentId)
    refuse('The warrant is of another deployment', facts.genesis.deploymentId, document.deploymentId)
  if (document.action !== machine) refuse('The warrant permits another action', machine, document.action)
  if (given.runId !== runIdOf(given.warrant.id, given.attempt))
    refuse(
      'The run id does not follow from the warrant',
      runIdOf(given.warrant.id, given.attempt),
      given.runId,
    )
  const signer = signerOf(facts.genesis, given)
  if (signer !== facts.signer) refuse('The warrant was signed by another key', facts.signer, signer)
  if (facts.now > Date.parse(document.expiresAt)) {
    throw new OpenLedgerError('warrant-expired', 'The warrant has expired', {
      expected: `a start before ${document.expiresAt}`,
      seen: new Date(facts.now).toISOString(),
    })
  }
  if (documentId(given.input) !== document.inputHash) {
    throw new OpenLedgerError('warrant-input-mismatch', 'This is not the input that was voted', {
      expected: document.inputHash,
      seen: documentId(given.input),
    })
  }
  checkVote(facts, document, given.input)
  return given
}

function parseStarted(started: unknown): WarrantedInput {
  const given = started as Partial<WarrantedInput> | null
  if (
    typeof given !== 'object' ||
    given === null ||
    typeof given.warrant !== 'object' ||
    given.warrant === null
  ) {
    throw new OpenLedgerError('warrant-missing', 'This execution was started without a warrant', {
      expected: 'an execution that a passed vote started',
      seen: 'no warrant in the input',
    })
  }
  const document = schemas.warrantDocument.safeParse(given.warrant.document)
  if (
    given.schema !== 1 ||
    !document.success ||
    !Number.isSafeInteger(given.attempt) ||
    typeof given.warrant.signature !== 'string'
  ) {
    throw new OpenLedgerError('warrant-invalid', 'The warrant does not have the shape of one', {
      expected: 'schema 1 with warrant, input, runId and attempt',
    })
  }
  return {
    schema: 1,
    warrant: {
      id: parseBytes32(given.warrant.id),
      document: document.data,
      signature: given.warrant.signature,
    },
    input: given.input,
    runId: parseBytes32(given.runId),
    attempt: given.attempt as number,
  }
}

function signerOf(genesis: Genesis, given: WarrantedInput): Address {
  try {
    return recoverSigner(
      genesis,
      'Warrant',
      warrantMessage(given.warrant.id, given.warrant.document),
      given.warrant.signature,
    )
  } catch (cause) {
    throw new OpenLedgerError('warrant-invalid', 'The signature of the warrant is not valid', { cause })
  }
}

/** What the step before made: the input of a later step of a `build` must name exactly it. */
export type ParentOutput = { readonly version: Bytes32 } | null

function checkVote(
  facts: { genesis: Genesis; ballotFile: Uint8Array | null; parentOutput: ParentOutput },
  document: WarrantDocument,
  input: unknown,
) {
  const refuse = (message: string, seen: string) => {
    throw new OpenLedgerError('warrant-invalid', message, {
      expected: 'the ballot file of a passed vote',
      seen,
    })
  }
  if (facts.ballotFile === null)
    return refuse('The ballot file of the vote is missing', document.ballotFileSha256)
  const digest = sha256Hex(facts.ballotFile)
  if (digest !== document.ballotFileSha256) return refuse('The ballot file is another one', digest)
  const { header, ballots } = readBallotFile(facts.ballotFile)
  const proposal = schemas.proposalDocument.parse(header.proposal)
  const rules = schemas.rules.parse(header.rules)
  if (documentId(proposal) !== document.proposalId)
    return refuse('The ballot file is of another proposal', documentId(proposal))
  if (documentId(rules) !== proposal.rules)
    return refuse('The ballot file holds other rules than were voted under', documentId(rules))
  const recount = recountBallotFile(facts.genesis, parseBytes32(document.proposalId), ballots)
  const decision = decideOutcome(rules, recount, BigInt(header.powerSource.totalSupply))
  if (decision.outcome !== 'passed') return refuse('The vote did not pass', decision.reason)
  if (!permits(proposal.action, document.action, input, facts.parentOutput)) {
    throw new OpenLedgerError('warrant-input-mismatch', 'The vote did not permit this input', {
      expected: `an input of action ${proposal.action.type} as voted`,
      seen: documentId(input),
    })
  }
}

/** Whether a voted action permits this step with this input. */
export function permits(voted: Action, step: WarrantAction, input: unknown, parent: ParentOutput): boolean {
  const same = (expected: unknown) => documentId(expected) === documentId(input)
  if (voted.type === step) return same(voted.input)
  if (voted.type !== 'build') return false
  const expected = buildStepInput(voted.input, step, parent)
  return expected !== null && same(expected)
}

/** The exact input of one step of a `build`, once the step before has made its output. */
export function buildStepInput(
  build: BuildInput,
  step: WarrantAction,
  parent: ParentOutput,
): BuildInput['fineTune'] | AlignInput | ReleaseInput | null {
  if (step === 'fine-tune') return build.fineTune
  if (parent === null) return null
  if (step === 'align')
    return build.align === undefined ? null : { ...build.align, parentVersion: parent.version }
  if (step === 'release') return { ...build.release, version: parent.version }
  return null
}
