/** The record proof of docs/protocol.md section 9: a record is, or is not, in a frozen dataset. */
import { fromHex, sha256, toHex, utf8ToBytes } from './bytes.ts'
import { canonical, documentId } from './canonical-json.ts'
import { checkLogProof } from './log-proof.ts'
import { requireInclusion } from './merkle.ts'
import { type Report, same, verification } from './report.ts'
import { asAddress, asArray, asCount, asFlag, asObject, asSha256, asText, type Json } from './shape.ts'
import { asDomain, NO_DEPLOYMENT, requireDomain, type Trust } from './trust.ts'
import { signerOf, typedDataDigest } from './typed-data.ts'

export interface RecordExpectations extends Trust {
  /** The frozen dataset that a proposal or a version names. */
  readonly datasetId?: string
}

/** Verifies a record proof. The report's checks say in which part the record is, or that it is in none. */
export async function verifyRecord(proof: unknown, expected: RecordExpectations = {}): Promise<Report> {
  return verification(async list => {
    const file = list.check('format', () => {
      const given = asObject(proof, 'the proof')
      same('the kind', 'record-proof', given.kind)
      same('the schema', 1, given.schema)
      return ['record proof, schema 1', given]
    })
    const domain = list.check('deployment', () => {
      const own = asDomain(file.genesis, 'genesis')
      if (expected.genesis !== undefined) requireDomain(expected.genesis, own)
      return [`${own.deploymentId} on chain ${own.chainId}`, own]
    })
    if (expected.genesis === undefined) list.notChecked.push(NO_DEPLOYMENT)
    const trust: Trust = { ...expected, genesis: domain }

    const hash = list.check('record hash', () => {
      const salt = fromHex(asSha256(file.salt, 'salt'))
      const made = toHex(sha256(Uint8Array.of(0), salt, utf8ToBytes(canonical(file.record))))
      same('the hash of the salted record', made, asSha256(file.recordHash, 'recordHash'))
      return [made, made]
    })

    const submission = asObject(file.submission, 'submission')
    const { leaf } = checkLogProof(list, 'submission in the log', submission.logProof, trust)
    const manifest = list.check('submission', () => {
      const message = asObject(leaf.manifest, 'leaf.manifest')
      const contributor = asAddress(message.contributor, 'manifest.contributor')
      same(
        'the signer of the manifest',
        contributor,
        signerOf(domain, 'Submission', message, asText(leaf.signature, 'leaf.signature')),
      )
      same('the id', `0x${toHex(typedDataDigest(domain, 'Submission', message))}`, leaf.submissionId)
      return [`${String(leaf.kind)}, signed by ${contributor}`, message]
    })

    if (submission.signed === null)
      list.notChecked.push(
        'that the contributor signed this record: its place under the signed root was not given',
      )
    else
      list.check('signed by the contributor', () => {
        const root = asText(manifest.recordsRoot, 'manifest.recordsRoot').slice(2)
        requirePlace(submission.signed, 'submission.signed', hash, root)
        return `under the signed records root ${root}`
      })

    if (submission.accepted === null)
      list.notChecked.push('that the record was accepted: its place under the accepted root was not given')
    else
      list.check('accepted', () => {
        const root = asSha256(leaf.acceptedRoot, 'leaf.acceptedRoot')
        requirePlace(submission.accepted, 'submission.accepted', hash, root)
        return `under the logged accepted root ${root}`
      })

    if (file.dataset === null) return
    const dataset = asObject(file.dataset, 'dataset')
    const frozen = list.check('frozen dataset', () => {
      const document = asObject(dataset.manifest, 'dataset.manifest')
      const id = documentId(document)
      if (expected.datasetId !== undefined) same('the frozen dataset', expected.datasetId, id)
      same('the deployment of the dataset', domain.deploymentId, document.deploymentId)
      same('the Datanet', manifest.datanetId, document.datanetId)
      return [id, { id, document }]
    })
    const logged = checkLogProof(list, 'frozen dataset in the log', dataset.logProof, trust)
    list.check('logged roots', () => {
      same('the kind of the leaf', 'frozen-dataset', logged.leaf.kind)
      same('the dataset in the log', frozen.id, logged.leaf.datasetId)
      for (const field of ['trainRoot', 'devRoot', 'trainRecords', 'devRecords', 'logSize'])
        same(`${field} in the log`, frozen.document[field], logged.leaf[field])
      return `frozen at log size ${String(frozen.document.logSize)}`
    })

    const parts = ['train', 'dev'] as const
    const found = parts.map(part => [
      part,
      list.check(part, () => {
        const root = asSha256(frozen.document[`${part}Root`], `manifest.${part}Root`)
        const size = asCount(frozen.document[`${part}Records`], `manifest.${part}Records`)
        const isMember = checkMembership(asObject(dataset[part], `dataset.${part}`), part, hash, size, root)
        return [`${isMember ? 'is' : 'is not'} among the ${size} records of ${part}`, isMember]
      }),
    ])
    list.check('part', () => {
      const inParts = found.filter(([, isMember]) => isMember).map(([part]) => String(part))
      if (inParts.length > 1) throw new Error('the record is in both parts')
      if (inParts.length === 0)
        list.notChecked.push('that the hash lists are sorted: the published lists show it')
      return inParts.length === 0
        ? 'in no part of the frozen dataset'
        : `in ${inParts[0]} of the frozen dataset`
    })
  })
}

function proofOf(place: Json, path: string): readonly string[] {
  return asArray(place.proof, `${path}.proof`).map((one, at) => asSha256(one, `${path}.proof[${at}]`))
}

/** A place `{ position, size, proof }` in a tree of record hashes, which are leaf hashes themselves. */
function requirePlace(value: unknown, path: string, hash: string, root: string): void {
  const place = asObject(value, path)
  const position = asCount(place.position, `${path}.position`)
  requireInclusion(fromHex(hash), position, asCount(place.size, `${path}.size`), proofOf(place, path), root)
}

/**
 * True for a proven member, false for proven absence: in a sorted list, the two neighbors between which the
 * hash would stand have nothing between them. @throws Error when neither is proven
 */
function checkMembership(value: Json, part: string, hash: string, size: number, root: string): boolean {
  if (asFlag(value.member, `${part}.member`)) {
    requireInclusion(
      fromHex(hash),
      asCount(value.position, `${part}.position`),
      size,
      proofOf(value, part),
      root,
    )
    return true
  }
  if (size === 0) {
    // The root of no records is the SHA-256 of nothing.
    same(`the root of an empty ${part}`, toHex(sha256()), root)
    return false
  }
  const neighbor = (name: 'left' | 'right') => {
    if (value[name] === null) return null
    const path = `${part}.${name}`
    const place = asObject(value[name], path)
    const own = asSha256(place.hash, `${path}.hash`)
    const position = asCount(place.position, `${path}.position`)
    requireInclusion(fromHex(own), position, size, proofOf(place, path), root)
    return { hash: own, position }
  }
  const left = neighbor('left')
  const right = neighbor('right')
  if (left !== null && left.hash >= hash)
    throw new Error(`the left neighbor in ${part} is not below the record`)
  if (right !== null && right.hash <= hash)
    throw new Error(`the right neighbor in ${part} is not above the record`)
  same(
    `the place of the left neighbor in ${part}`,
    right === null ? size - 1 : right.position - 1,
    left?.position ?? -1,
  )
  return false
}
