import type { Lineage } from '../../api/schemas/training.ts'
import { parseGradedAnswers } from '../../domain/training/answers.ts'
import { fileDigest } from '../../domain/training/register-version.ts'
import { deps } from '../deps.ts'

/** The graded answers that an evaluation job left under a prefix of the artifact bucket. */
export async function answersUnder(prefix: string) {
  const key = `${prefix}answers.jsonl`
  return parseGradedAnswers(await deps.artifacts().get(key), key)
}

/** Digests of the bytes that the job left: what a served model is compared with. */
export async function weightsUnder(prefix: string): Promise<Lineage['weights']> {
  const [merged, adapter] = await Promise.all([
    deps.artifactsTree()(`${prefix}merged/`),
    deps.artifactsTree()(`${prefix}adapter/`),
  ])
  return {
    key: `${prefix}merged/`,
    merged: merged.digest,
    adapter: adapter.digest,
    tokenizer: fileDigest(merged, 'tokenizer.json'),
    chatTemplate: fileDigest(merged, 'chat_template.jinja'),
  }
}
