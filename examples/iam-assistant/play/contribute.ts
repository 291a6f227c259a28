import type { Wallet } from 'ethers'
import { checkLeafProof } from '../../../cli/actions/check-leaf-proof.ts'
import { putBytes, signManifest, upload } from '../../../cli/actions/upload.ts'
import { vouch } from '../../../cli/actions/vouch.ts'
import { parseBytes32 } from '../../../domain/protocol/hex.ts'
import type { PlayRecord } from '../material.ts'
import { LICENSE, noteRefusal, PlayFailed, type Stage, until } from './stage.ts'

const INTAKE_SECONDS = 180
/** Signed within a minute of an append, and once more for a slow machine. */
const HEAD_SECONDS = 120
const ENDED = ['accepted', 'partly-accepted', 'rejected', 'quarantined', 'expired']

/** Step 2: governors vouch for the honest contributors; everybody signs and uploads; intake decides. */
export async function contribute(stage: Stage): Promise<Record<string, unknown>> {
  const { session, people, material } = stage
  const datanetId = required(stage)
  const [governor, second] = people.governors
  if (governor === undefined || second === undefined) throw new PlayFailed('There are no governors')
  for (const { address } of people.contributors)
    await vouch(session, governor, { account: address, level: 'contributor' })
  for (const { wallet } of people.validators)
    await vouch(session, second, { account: wallet.address, level: 'validator' })
  await until('The Datanet takes submissions', INTAKE_SECONDS, async () => {
    const datanet = await session.client.call('getDatanet', { params: { id: datanetId } })
    return datanet.takesSubmissions ? true : undefined
  })

  await tryOtherBytes(stage, datanetId)
  const submissions: Record<string, string> = {}
  const send = async (
    who: string,
    wallet: Pick<Wallet, 'address' | 'signTypedData'>,
    records: readonly PlayRecord[],
  ) => {
    const jsonl = records.map(record => `${JSON.stringify(record)}\n`).join('')
    const { submissionId } = await upload(session, wallet, { datanetId, jsonl, license: LICENSE })
    submissions[who] = submissionId
  }
  for (const [index, person] of people.contributors.entries()) {
    await send(`honest-${index + 1}`, person, material.honest[index] ?? [])
  }
  await send('careless', people.careless, material.careless)
  await decided(stage, submissions)
  // The copier waits until there is something to copy.
  await send('copier', people.copier, material.copied)
  stage.made.submissions = submissions
  const outcomes = await decided(stage, submissions)
  return { submissions: outcomes, proofs: await checkProofs(stage, submissions) }
}

/** Each outcome is in the log, checked offline from a proof file; the head is signed within a minute. */
async function checkProofs(
  stage: Stage,
  submissions: Record<string, string>,
): Promise<Record<string, unknown>> {
  const { client, genesis } = stage.session
  let logSize = 0
  for (const [who, id] of Object.entries(submissions)) {
    const proof = await until(`The outcome of ${who} is under a signed head`, HEAD_SECONDS, () =>
      client.call('getSubmissionProof', { params: { id } }).catch(() => undefined),
    )
    logSize = checkLeafProof(proof, genesis.signers.logHead).size
  }
  stage.say(
    `${Object.keys(submissions).length} inclusion proofs verify offline against a signed head of ${logSize} leaves`,
  )
  return { verified: Object.keys(submissions).length, logSize }
}

async function decided(stage: Stage, submissions: Record<string, string>): Promise<Record<string, unknown>> {
  const entries = await Promise.all(
    Object.entries(submissions).map(async ([who, id]) => {
      const submission = await until(`Intake decides about ${who}`, INTAKE_SECONDS, async () => {
        const now = await stage.session.client.call('getSubmission', { params: { id } })
        return ENDED.includes(now.state) && now.logIndex !== null ? now : undefined
      })
      stage.say(
        `${who}: ${submission.state}, ${submission.acceptedRecords} of ${submission.recordCount} records` +
          (Object.keys(submission.refusedRecords).length > 0
            ? `, refused ${JSON.stringify(submission.refusedRecords)}`
            : ''),
      )
      return [
        who,
        {
          id,
          state: submission.state,
          acceptedRecords: submission.acceptedRecords,
          refusedRecords: submission.refusedRecords,
          logIndex: submission.logIndex,
        },
      ] as const
    }),
  )
  return Object.fromEntries(entries)
}

/** Signs one text and sends another: the store refuses it before anything is read. */
async function tryOtherBytes(stage: Stage, datanetId: string): Promise<void> {
  const { session, people } = stage
  const jsonl = `${JSON.stringify({ instruction: 'ec2: start instances', output: 'ec2:StartInstances', group: 'ec2' })}\n`
  const { body, bytes } = await signManifest(session, people.careless, {
    datanetId: parseBytes32(datanetId),
    jsonl,
    license: LICENSE,
  })
  const { upload: ticket } = await session.client.call('registerSubmission', {
    params: { id: datanetId },
    body,
  })
  if (ticket === null) throw new PlayFailed('A new submission got no place to upload to')
  const other = Uint8Array.from(bytes, (byte, index) => (index === 20 ? byte ^ 1 : byte))
  const response = await putBytes(ticket, other)
  const code = /<Code>(\w+)<\/Code>/.exec(await response.text())?.[1] ?? `HTTP ${response.status}`
  noteRefusal(stage, 'upload-of-other-bytes', 'BadDigest', code)
}

function required(stage: Stage): string {
  if (stage.made.datanetId === undefined) throw new PlayFailed('There is no Datanet to contribute to')
  return stage.made.datanetId
}
