import { publishLog } from '../../domain/data/publish-log.ts'
import { deps } from '../deps.ts'
import { logger } from '../http/endpoint.ts'

export const handler = async () => {
  const { size, signed } = await publishLog({
    log: deps.logBook(),
    files: deps.publicFiles(),
    signer: deps.logHeadSigner(),
    origin: deps.logOrigin(),
  })
  if (signed) logger.info('log.published', { size })
  return { size, signed }
}
