import { routes } from '../../api/routes.ts'
import { toEntry } from '../../domain/data/append-leaves.ts'
import { genesisLeaf } from '../../domain/data/leaves.ts'
import { deps } from '../deps.ts'
import { endpoint, logger } from '../http/endpoint.ts'

/** Anybody may ask for it: what is logged follows from the deployment, and there is one. */
export const handler = endpoint(routes.logGenesis, async () => {
  const [receipt, warrant, payout, logHead] = await Promise.all([
    deps.receiptSigner().address(),
    deps.warrantSigner().address(),
    deps.payoutSigner().address(),
    deps.logHeadKey(),
  ])
  const leaf = genesisLeaf(deps.genesis(), { receipt, warrant, payout, logHead })
  const { index } = await deps.log().append(leaf)
  logger.info('log.genesis', { index })
  return { index, leafHash: toEntry(leaf).leafHash, document: { ...leaf } }
})
