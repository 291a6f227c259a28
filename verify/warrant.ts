/** A warrant (docs/protocol.md section 10): permission by a passed vote for one action with one exact input. */
import { type BallotFile, readBallots } from './ballots.ts'
import { documentId } from './canonical-json.ts'
import { type Checklist, type Report, same, verification } from './report.ts'
import { asBytes32, asCount, asInstant, asObject, asSha256, asText, type Json } from './shape.ts'
import { NO_WARRANT_SIGNER, type Trust } from './trust.ts'
import { signerOf } from './typed-data.ts'

/** A warrant as the API answers it. Its input follows from the vote, so it need not be given. */
export interface WarrantBundle {
  readonly id: string
  readonly document: unknown
  readonly signature: string
  readonly input?: unknown
  /** For a later step of a `build`: the version that the step before made. */
  readonly previousVersion?: string
}

export interface WarrantFacts {
  readonly id: string
  readonly proposalId: string
  readonly action: string
  readonly input: Json
}

/** Verifies a warrant together with the vote behind it. */
export async function verifyWarrant(
  bundle: WarrantBundle,
  ballotFile: Uint8Array,
  trust: Trust = {},
): Promise<Report> {
  return verification(async list => {
    await checkWarrant(list, bundle, ballotFile, trust)
  })
}

/** The checks of `verifyWarrant`, for verifications that rest on a warrant. */
export async function checkWarrant(
  list: Checklist,
  bundle: WarrantBundle,
  ballotFile: Uint8Array,
  trust: Trust,
): Promise<WarrantFacts> {
  const warrant = list.check('warrant', () => {
    const document = asObject(bundle.document, 'document')
    same('the schema of the warrant', 1, document.schema)
    same('the id of the warrant', documentId(document), bundle.id)
    const action = asText(document.action, 'document.action')
    return [`${bundle.id} permits ${action}`, { document, action }]
  })

  const { report, ballots } = await readBallots(ballotFile, {
    ...trust,
    fileSha256: asSha256(warrant.document.ballotFileSha256, 'document.ballotFileSha256'),
    proposalId: asBytes32(warrant.document.proposalId, 'document.proposalId'),
  })
  list.include('vote', report)
  const vote = ballots as BallotFile

  list.check('vote passed', () => {
    same('the outcome of the vote', 'passed', vote.outcome)
    same('the deployment of the warrant', vote.domain.deploymentId, warrant.document.deploymentId)
    return vote.proposalId
  })

  list.check('warrant signature', () => {
    const { document } = warrant
    const expiresAt = asInstant(document.expiresAt, 'document.expiresAt')
    const signer = signerOf(
      vote.domain,
      'Warrant',
      {
        warrantId: bundle.id,
        proposalId: document.proposalId,
        action: warrant.action,
        inputHash: document.inputHash,
        budgetUsdMicro: asCount(document.budgetUsdMicro, 'document.budgetUsdMicro'),
        expiresAt,
        ballotFileDigest: `0x${asSha256(document.ballotFileSha256, 'document.ballotFileSha256')}`,
      },
      bundle.signature,
    )
    if (trust.warrantSigner !== undefined) same('the signer of the warrant', trust.warrantSigner, signer)
    if (expiresAt <= vote.closesAt) throw new Error('the warrant expired before its vote closed')
    return `signed by ${signer}, until ${new Date(expiresAt).toISOString()}`
  })
  if (trust.warrantSigner === undefined) list.notChecked.push(NO_WARRANT_SIGNER)

  return list.check('voted input', () => {
    const { document, action } = warrant
    const voted = asObject(vote.proposal.action, 'proposal.action')
    same('the budget', asCount(voted.budgetUsdMicro, 'action.budgetUsdMicro'), document.budgetUsdMicro)
    const inputHash = asBytes32(document.inputHash, 'document.inputHash')
    if (bundle.input !== undefined) same('the hash of the given input', inputHash, documentId(bundle.input))
    const input = asObject(votedInput(voted, action, bundle), 'the voted input')
    same('the hash of the voted input', inputHash, documentId(input))
    const facts = { id: bundle.id, proposalId: vote.proposalId, action, input }
    return [`the input is what ${asText(voted.type, 'action.type')} was voted with`, facts]
  })
}

/**
 * The input that the vote permits for this step. A later step of a `build` also names the version that the
 * step before made; that it is the right one is for the version's own verification to show.
 */
function votedInput(voted: Json, step: string, bundle: WarrantBundle): unknown {
  const type = asText(voted.type, 'action.type')
  const whole = asObject(voted.input, 'action.input')
  if (type === step) return whole
  if (type !== 'build') throw new Error(`a vote on ${type} does not permit ${step}`)
  const given = bundle.input === undefined ? {} : asObject(bundle.input, 'input')
  const previous = (name: string) =>
    asBytes32(bundle.previousVersion ?? given[name], 'the version of the step before')
  switch (step) {
    case 'fine-tune':
      return whole.fineTune
    case 'align':
      return { ...asObject(whole.align, 'action.input.align'), parentVersion: previous('parentVersion') }
    case 'release':
      return { ...asObject(whole.release, 'action.input.release'), version: previous('version') }
    default:
      throw new Error(`a build does not permit ${step}`)
  }
}
