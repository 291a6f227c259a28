/** A version of a model (docs/protocol.md section 11): that it came from a passed vote, and from what. */
import { documentDigest, documentId } from './canonical-json.ts'
import { checkLogProof } from './log-proof.ts'
import { type Report, same, verification } from './report.ts'
import { asArray, asCount, asFlag, asInteger, asObject, asText, type Json } from './shape.ts'
import type { Trust } from './trust.ts'
import { checkWarrant, type WarrantBundle, type WarrantFacts } from './warrant.ts'

/** Attempts of one warrant that are tried to explain a run id; a warrant expires long before so many. */
const MAX_ATTEMPTS = 1_000

export interface VersionEvidence {
  readonly versionId: string
  /** The canonical lineage document, whose keccak256 is the id. */
  readonly lineage: unknown
  readonly warrant: WarrantBundle
  readonly ballotFile: Uint8Array
  /** Proof that the leaf of the version is in the log, as `GET /v1/log/...` answers it. */
  readonly logProof?: unknown
  /** Lineage of the parent version, for an alignment. */
  readonly parentLineage?: unknown
  /** `{ files: [{ path, sizeBytes, sha256 }] }` of the merged weights, hashed by the caller. */
  readonly weightsManifest?: unknown
}

/** Verifies the lineage of a version. */
export async function verifyVersion(evidence: VersionEvidence, trust: Trust = {}): Promise<Report> {
  return verification(async list => {
    const lineage = list.check('lineage', () => {
      const document = asObject(evidence.lineage, 'lineage')
      same('the schema of the lineage', 1, document.schema)
      same('the id of the version', documentId(document), evidence.versionId)
      return [`${asText(document.kind, 'lineage.kind')} of Datanet ${String(document.datanetId)}`, document]
    })

    const aligned =
      lineage.kind === 'align' ? { previousVersion: asText(lineage.parent, 'lineage.parent') } : {}
    const bundle = { ...aligned, ...evidence.warrant }
    const warrant = await checkWarrant(list, bundle, evidence.ballotFile, trust)

    list.check('permission', () => {
      same('the warrant', warrant.id, lineage.warrantId)
      same('the proposal', warrant.proposalId, lineage.proposalId)
      same('the permitted action', warrant.action, lineage.kind)
      same(
        'the deployment',
        asObject(evidence.warrant.document, 'document').deploymentId,
        lineage.deploymentId,
      )
      const attempt = attemptOf(warrant.id, asText(lineage.runId, 'lineage.runId'))
      return `attempt ${attempt} of warrant ${warrant.id}`
    })

    list.check('input', () => requireInput(lineage, warrant))
    list.check('gate', () => requireGate(lineage, asObject(warrant.input.gate, 'input.gate')))

    if (evidence.parentLineage !== undefined)
      list.check('parent', () => {
        const parent = asObject(evidence.parentLineage, 'parentLineage')
        same('the parent', documentId(parent), lineage.parent)
        same('the base model', parent.baseModel, lineage.baseModel)
        same('the Datanet', parent.datanetId, lineage.datanetId)
        return documentId(parent)
      })
    else if (lineage.kind === 'align')
      list.notChecked.push('what the parent came from: its lineage was not given')

    if (evidence.logProof !== undefined) {
      const { leaf } = checkLogProof(list, 'log', evidence.logProof, trust)
      list.check('log leaf', () => {
        same('the kind of the leaf', 'version', leaf.kind)
        same('the version in the log', evidence.versionId, leaf.versionId)
        same('the warrant in the log', lineage.warrantId, leaf.warrantId)
        const gatePassed = asFlag(asObject(lineage.gate, 'lineage.gate').passed, 'lineage.gate.passed')
        if (asFlag(leaf.promoted, 'leaf.promoted') && !gatePassed)
          throw new Error('the log says promoted, but the gate did not pass')
        return `logged as ${leaf.promoted === true ? 'promoted' : 'not promoted'}`
      })
    } else list.notChecked.push('that the version is in the log: no proof was given')

    if (evidence.weightsManifest !== undefined)
      list.check('weights', () => {
        const weights = asObject(lineage.weights, 'lineage.weights')
        same('the digest of the weights', weights.merged, documentDigest(evidence.weightsManifest))
        const { files } = asObject(evidence.weightsManifest, 'weightsManifest')
        return `${asArray(files, 'weightsManifest.files').length} files`
      })
    else list.notChecked.push('that the served weights are these: no files were given')
    list.notChecked.push('the scores: they hold until somebody runs the evaluation again')
  })
}

function attemptOf(warrantId: string, runId: string): number {
  for (let attempt = 1; attempt <= MAX_ATTEMPTS; attempt++)
    if (documentId({ warrantId, attempt }) === runId) return attempt
  throw new Error(`the run ${runId} is no attempt of the warrant`)
}

/** The lineage must repeat what was permitted. */
function requireInput(lineage: Json, { input, action }: WarrantFacts): string {
  same('the Datanet', input.datanetId, lineage.datanetId)
  same('the recipe', input.recipe, lineage.recipe)
  if (action === 'align') {
    same('the parent', input.parentVersion, lineage.parent)
    return `aligned from ${String(lineage.parent)}`
  }
  const voted = asObject(input.dataset, 'input.dataset')
  const used = asObject(lineage.dataset, 'lineage.dataset')
  same('the base model', input.baseModel, lineage.baseModel)
  same('the parent', input.baseModel, lineage.parent)
  same('the frozen dataset', voted.datasetId, used.datasetId)
  same('the train root', voted.trainRoot, used.trainRoot)
  same('the size of the log', voted.logSize, used.logSize)
  return `trained on ${String(used.trainRoot)}`
}

/** What the gate decided must follow from its interval and the voted rule. */
function requireGate(lineage: Json, rule: Json): string {
  const gate = asObject(lineage.gate, 'lineage.gate')
  const low = asInteger(gate.lowPpm, 'gate.lowPpm')
  const high = asInteger(gate.highPpm, 'gate.highPpm')
  const difference = asInteger(gate.differencePpm, 'gate.differencePpm')
  if (low > difference || difference > high)
    throw new Error(`the difference of ${difference} ppm is not within ${low} to ${high}`)
  const passed = asFlag(gate.passed, 'gate.passed')
  if (lineage.kind === 'fine-tune') {
    same('the number of items', asCount(rule.evaluationItems, 'gate.evaluationItems'), gate.n)
    const bound = asInteger(rule.targetLowerBoundPpm, 'gate.targetLowerBoundPpm')
    same('what the gate decided', low > bound, passed)
  }
  return `${passed ? 'passed' : 'not passed'}: ${difference} ppm, ${low} to ${high}`
}
