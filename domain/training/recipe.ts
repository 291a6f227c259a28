import * as z from 'zod'
import { sha256 } from '../../api/schemas/common.ts'
import { OpenLedgerError } from '../errors.ts'
import { documentDigest } from '../protocol/ids.ts'

/**
 * How a model profile is trained: hyperparameters of each job as the strings that SageMaker takes, and the
 * digest of the code that reads them. A proposal names the digest of this document, so what runs was voted.
 */
export const recipe = z.looseObject({
  schema: z.literal(1),
  profile: z.string(),
  /** `code/<sha256>.tar.gz` in the artifact bucket. */
  code: sha256,
  /** `wheels/<sha256>/` in the artifact bucket; null where the image holds every dependency. */
  wheels: sha256.nullable(),
  jobs: z.record(z.string(), z.record(z.string(), z.string())),
})
export type Recipe = z.infer<typeof recipe>

/** @throws OpenLedgerError warrant-input-mismatch when the bytes are not those that were voted */
export function parseRecipe(bytes: Uint8Array | null, voted: string): Recipe {
  if (bytes === null) {
    throw new OpenLedgerError('not-found', 'The voted recipe is not in the artifact bucket', {
      expected: `recipes/${voted}.json; bring it with: openledger model import`,
    })
  }
  const document: unknown = JSON.parse(new TextDecoder().decode(bytes))
  const digest = documentDigest(document)
  if (digest !== voted) {
    throw new OpenLedgerError('warrant-input-mismatch', 'The recipe is not the one that was voted', {
      expected: voted,
      seen: digest,
    })
  }
  return recipe.parse(document)
}

/** The hyperparameters of one job. @throws OpenLedgerError malformed when the recipe has none */
export function jobSettings(from: Recipe, job: string): Record<string, string> {
  const settings = from.jobs[job]
  if (settings === undefined) {
    throw new OpenLedgerError('malformed', 'The recipe says nothing about this job', {
      expected: job,
      seen: Object.keys(from.jobs).join(', '),
    })
  }
  return settings
}
