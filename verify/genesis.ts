/** Leaf 0 of the log: the facts of a deployment, from which everything else is checked. */
import { checkLogProof } from './log-proof.ts'
import { type Report, same, verification } from './report.ts'
import { asAddress, asObject, asText } from './shape.ts'
import { asDomain, asGovernors, type Trust } from './trust.ts'

/**
 * Verifies the proof of leaf 0 and reads from it what to trust. Give the deployment id or the log's key as you
 * know them from elsewhere; without either, a forger could show a genesis of his own.
 */
export async function readGenesis(
  logProof: unknown,
  known: { readonly deploymentId?: string; readonly logKey?: string } = {},
): Promise<{ report: Report; trust: Required<Trust> | undefined }> {
  let trust: Required<Trust> | undefined
  const report = await verification(async list => {
    const logKey = list.check('log key', () => {
      const entry = asText(asObject(logProof, 'the proof').entry, 'entry')
      const signers = asObject(asObject(JSON.parse(entry), 'the entry').signers, 'signers')
      const own = asText(signers.logHead, 'signers.logHead')
      if (known.logKey !== undefined) same('the log key', known.logKey, own)
      return [own, own]
    })
    const { leaf, index } = checkLogProof(list, 'genesis in the log', logProof, { logKey })
    list.check('genesis', () => {
      same('the kind of the leaf', 'genesis', leaf.kind)
      same('the index of the leaf', 0, index)
      const genesis = asDomain(leaf, 'genesis')
      if (known.deploymentId !== undefined) same('the deployment', known.deploymentId, genesis.deploymentId)
      const signers = asObject(leaf.signers, 'signers')
      const warrantSigner = asAddress(signers.warrant, 'signers.warrant')
      trust = { genesis, governors: asGovernors(leaf.governors, 'governors'), warrantSigner, logKey }
      return `${genesis.deploymentId} on chain ${genesis.chainId}`
    })
    if (known.deploymentId === undefined && known.logKey === undefined)
      list.notChecked.push('that this is the deployment you mean: neither its id nor its log key was given')
  })
  return { report, trust: report.ok ? trust : undefined }
}
