import { createHash } from 'node:crypto'
import type { Wallet } from 'ethers'
import type { RegisterSubmission } from '../../api/schemas/data.ts'
import type { DatanetTerms } from '../../api/schemas/governance.ts'
import { readUpload } from '../../domain/data/read-upload.ts'
import { INTAKE_LIMITS } from '../../domain/data/record-profile.ts'
import { type Manifest, submissionMessage } from '../../domain/data/submission.ts'
import type { Genesis } from '../../domain/governance/genesis.ts'
import type { Bytes32, Sha256Hex } from '../../domain/protocol/hex.ts'
import { sha256Hex } from '../../domain/protocol/ids.ts'
import { signTypedData } from '../../domain/protocol/typed-data.ts'
import { addressOf } from './governance-stage.ts'

export type TestRecord = { instruction: string; output: string; group: string; system?: string }

const VERBS = ['retrieve', 'remove', 'rename', 'archive', 'inspect', 'restore', 'publish', 'compare']
const THINGS = [
  'invoice',
  'garden gate',
  'violin',
  'harbor map',
  'winter coat',
  'bakery',
  'telescope',
  'canoe',
]

/** Records that are no copies of each other: every name is a word of its own. */
export function someRecords(count: number, of: string): TestRecord[] {
  return Array.from({ length: count }, (_, at) => {
    const word = createHash('sha256').update(`${of} ${at}`).digest('hex').replace(/[0-9]/g, '').slice(0, 14)
    const other = createHash('sha256').update(`${at} ${of}`).digest('hex').replace(/[0-9]/g, '').slice(0, 14)
    return {
      instruction: `Service ${of}: ${VERBS[at % 8]} the ${THINGS[(at >> 3) % 8]} of ${word} for ${other}`,
      output: `${of}:${word}${other}`,
      group: of,
    }
  })
}

export const jsonLines = (records: readonly unknown[]) =>
  Buffer.from(records.map(record => `${JSON.stringify(record)}\n`).join(''), 'utf8')

/** An evaluation set as the operator brings it. */
export function evaluationSet(questions: readonly string[]): {
  bytes: Buffer
  digest: Sha256Hex
  items: number
} {
  const lines = questions.map((question, at) => ({
    id: `item-${at}`,
    messages: [{ role: 'user', content: question }],
    answer: `answer ${at}`,
    group: 'sealed',
  }))
  const bytes = jsonLines(lines)
  return { bytes, digest: sha256Hex(bytes), items: lines.length }
}

export function someTerms(
  sets: { sealed: Sha256Hex; usefulness: Sha256Hex },
  changes: Partial<DatanetTerms> = {},
) {
  const terms: DatanetTerms = {
    schema: 1,
    slug: 'a-datanet',
    title: 'A Datanet',
    purpose: 'Names of things for needs',
    recordProfile: 'instruction',
    systemPrompt: 'Name the thing.',
    licenses: ['CC-BY-4.0'],
    baseModel: sha256Hex('a base model'),
    modelProfile: 'tiny',
    sealedSet: { digest: sets.sealed, items: 2 },
    usefulnessSets: [{ digest: sets.usefulness, items: 1 }],
    shotSet: { digest: sha256Hex('shots'), items: 1 },
    recipe: sha256Hex('a recipe'),
    maxSubmissionBytes: 1_000_000,
    maxRecordsPerUnvettedAccount: 25,
    ...changes,
  }
  return terms
}

export type Contribution = {
  readonly bytes: Buffer
  readonly manifest: Manifest
  readonly seed: string
  readonly body: RegisterSubmission
}

/** A signed manifest over these records, as the client makes it. */
export async function aContribution(given: {
  genesis: Genesis
  datanetId: Bytes32
  wallet: Wallet
  records: readonly unknown[]
  nonce?: number
  changes?: Partial<Manifest>
}): Promise<Contribution> {
  const { genesis, datanetId, wallet, records, nonce = 1 } = given
  const bytes = jsonLines(records)
  const seed = createHash('sha256').update(`${wallet.address} ${nonce}`).digest('hex')
  const { whole: _whole, ...facts } = await readUpload([bytes], 'instruction', INTAKE_LIMITS, seed)
  const manifest: Manifest = {
    datanetId,
    contributor: addressOf(wallet),
    ...facts,
    license: 'CC-BY-4.0',
    consent: 'I may share these records, and I do so under the license named here.',
    nonce,
    deadline: Date.now() + 3_600_000,
    ...given.changes,
  }
  const signature = await signTypedData(wallet, genesis, 'Submission', submissionMessage(manifest))
  const { datanetId: _datanet, deadline, ...signed } = manifest
  return {
    bytes,
    manifest,
    seed,
    body: { ...signed, deadline: new Date(deadline).toISOString(), seed, signature },
  }
}
