import type { Wallet } from 'ethers'
import type { DatanetTerms } from '../../api/schemas/governance.ts'
import type { Inspection } from '../../domain/data/inspect-submission.ts'
import type { Bytes32 } from '../../domain/protocol/hex.ts'
import { keccak256Hex } from '../../domain/protocol/ids.ts'
import { signTypedData } from '../../domain/protocol/typed-data.ts'
import { handler as commit } from '../../functions/data/commit-submission.ts'
import { handler as compare } from '../../functions/data/compare-records.ts'
import { handler as getSubmission } from '../../functions/data/get-submission.ts'
import { handler as inspect } from '../../functions/data/inspect-submission.ts'
import { handler as register } from '../../functions/data/register-submission.ts'
import { handler as signReceipt } from '../../functions/data/sign-receipt.ts'
import { handler as vouch } from '../../functions/data/vouch-account.ts'
import { deps } from '../../functions/deps.ts'
import { callRoute } from './call-route.ts'
import { aContribution, type Contribution, evaluationSet, someTerms } from './contributions.ts'
import { addressOf, aStage, walletOf } from './governance-stage.ts'

/** The data area on the test's emulator, by its handlers. Call `startTestAws()` first. */

const { genesis } = aStage()
const sealed = evaluationSet(['Which name has the sealed thing?', 'And which has the other sealed thing?'])
export const usefulness = evaluationSet(['What is the useful thing called?'])
/** What Lambda tells a function of its time. */
export const unhurried = { getRemainingTimeInMillis: () => 900_000 } as never

export async function aDatanet(name: string, changes: Partial<DatanetTerms> = {}): Promise<Bytes32> {
  for (const set of [sealed, usefulness]) {
    await deps.artifacts().put(`sealed/${set.digest}.jsonl`, set.bytes, 'application/jsonl')
  }
  const terms = someTerms({ sealed: sealed.digest, usefulness: usefulness.digest }, changes)
  return (await deps.openDatanet()({ id: keccak256Hex(name) }, terms)).datanetId
}

export async function vouchFor(wallet: Wallet, level = 1, nonce = 1) {
  const governor = walletOf('governor-1')
  const message = { governor: addressOf(governor), account: addressOf(wallet), level, nonce }
  const signature = await signTypedData(governor, genesis, 'Vouch', message)
  const { account, ...body } = message
  return callRoute(vouch, { params: { address: account }, body: { ...body, signature } })
}

export type Ticket = { url: string; headers: Record<string, string> }
export type Registered = { submissionId: Bytes32; sequence: number; upload: Ticket }

export async function registered({ manifest, body }: Contribution): Promise<Registered> {
  const answer = await callRoute(register, { params: { id: manifest.datanetId }, body })
  if (answer.status !== 200) throw new Error(JSON.stringify(answer.body))
  return answer.body
}

export const put = (upload: Ticket, bytes: Buffer) =>
  fetch(upload.url, { method: 'PUT', headers: upload.headers, body: new Uint8Array(bytes) })

/** The intake machine, state by state. */
export async function intake(submissionId: string) {
  const inspection = (await inspect({ submissionId })) as Inspection
  if (inspection.verdict === 'compare') {
    let isDone = false
    while (!isDone) ({ isDone } = await compare({ submissionId, tag: inspection.tag }, unhurried))
  }
  await commit({ submissionId, inspection })
  await signReceipt({ submissionId })
  return (await callRoute(getSubmission, { params: { id: submissionId } })).body
}

/** Registers, uploads and takes in. */
export async function contribute(datanetId: Bytes32, wallet: Wallet, records: readonly unknown[], nonce = 1) {
  const contribution = await aContribution({ genesis, datanetId, wallet, records, nonce })
  const { submissionId, upload } = await registered(contribution)
  const stored = await put(upload, contribution.bytes)
  if (stored.status !== 200) throw new Error(await stored.text())
  return intake(submissionId)
}
