import type { DatanetTerms } from '../../api/schemas/governance.ts'
import { OpenLedgerError } from '../errors.ts'
import { sha256Hex } from '../protocol/ids.ts'
import type { ObjectStore } from './ports.ts'
import { normalizeText } from './words.ts'

/** Evaluation sets, put there by the operator; their digests are in the log before intake opens. */
const evaluationSetKey = (digest: string) => `sealed/${digest}.jsonl`

/** The sets that nobody may train on. */
const digestsOf = (terms: DatanetTerms) => [
  terms.sealedSet.digest,
  ...terms.usefulnessSets.map(({ digest }) => digest),
]

/** Digests of evaluation sets that the operator has not brought yet. */
export async function missingSets(
  deps: { artifacts: Pick<ObjectStore, 'exists'> },
  terms: DatanetTerms,
): Promise<string[]> {
  const digests = digestsOf(terms)
  const there = await Promise.all(digests.map(digest => deps.artifacts.exists(evaluationSetKey(digest))))
  return digests.filter((_, at) => !there[at])
}

/**
 * Normalized questions of the Datanet's evaluation sets: a record that asks one of them is contamination.
 * @throws OpenLedgerError unavailable when a set is missing or is not the one that was committed
 */
export async function evaluationQuestions(
  deps: { artifacts: Pick<ObjectStore, 'get'> },
  terms: DatanetTerms,
): Promise<ReadonlySet<string>> {
  const sets = await Promise.all(digestsOf(terms).map(digest => questionsOf(deps, digest)))
  return new Set(sets.flat())
}

async function questionsOf(deps: { artifacts: Pick<ObjectStore, 'get'> }, digest: string): Promise<string[]> {
  const bytes = await deps.artifacts.get(evaluationSetKey(digest))
  if (bytes === null || sha256Hex(bytes) !== digest) {
    throw new OpenLedgerError('unavailable', 'An evaluation set of this Datanet is not in place', {
      expected: evaluationSetKey(digest),
      seen: bytes === null ? 'nothing' : `bytes with SHA-256 ${sha256Hex(bytes)}`,
    })
  }
  const lines = Buffer.from(bytes).toString('utf8').split('\n')
  return lines.filter(line => line.trim() !== '').map(questionOf)
}

function questionOf(line: string): string {
  const { messages } = JSON.parse(line) as { messages: { role: string; content: string }[] }
  const asked = messages.filter(message => message.role !== 'system').map(message => message.content)
  return normalizeText(asked.join('\n'))
}
