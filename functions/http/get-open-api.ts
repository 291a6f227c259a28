import { openApiDocument } from '../../api/open-api.ts'
import { routes } from '../../api/routes.ts'
import { endpoint } from './endpoint.ts'

const document = openApiDocument()

export const handler = endpoint(routes.getOpenApi, async () => document)
