import { routes } from '../../api/routes.ts'
import { rulesDigest } from '../../domain/governance/rules.ts'
import { deps } from '../deps.ts'
import { endpoint } from '../http/endpoint.ts'

export const handler = endpoint(routes.getGenesis, async () => {
  const genesis = deps.genesis()
  const [receipt, warrant, payout, logHead] = await Promise.all([
    deps.receiptSigner().address(),
    deps.warrantSigner().address(),
    deps.payoutSigner().address(),
    deps.logHeadKey(),
  ])
  return {
    schema: 1 as const,
    ...genesis,
    governors: { addresses: [...genesis.governors.addresses], threshold: genesis.governors.threshold },
    rulesDigest: rulesDigest(genesis.rules),
    signers: { receipt, warrant, payout, logHead },
    logOrigin: deps.logOrigin(),
  }
})
