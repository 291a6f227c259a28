import { routes } from '../../api/routes.ts'
import { proveLeaf } from '../../domain/data/prove-leaf.ts'
import { parseSha256Hex } from '../../domain/protocol/hex.ts'
import { deps } from '../deps.ts'
import { endpoint } from '../http/endpoint.ts'

export const handler = endpoint(routes.getLogProof, async ({ query }) => {
  const proof = await proveLeaf(
    { log: deps.logBook(), files: deps.publicFiles() },
    parseSha256Hex(query.leaf),
  )
  return { ...proof, proof: [...proof.proof] }
})
