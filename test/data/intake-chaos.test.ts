import * as fc from 'fast-check'
import { commitSubmission, receiptOfSubmission } from '../../domain/data/commit-submission.ts'
import { compareRecords } from '../../domain/data/compare-records.ts'
import { readCurated } from '../../domain/data/curated-object.ts'
import { inspectSubmission } from '../../domain/data/inspect-submission.ts'
import type { Bytes32 } from '../../domain/protocol/hex.ts'
import { handler as getDatanet } from '../../functions/data/get-datanet.ts'
import { handler as logGenesis } from '../../functions/data/log-genesis.ts'
import { deps } from '../../functions/deps.ts'
import { callRoute } from '../support/call-route.ts'
import { aContribution, someRecords } from '../support/contributions.ts'
import { seededRandom } from '../support/copier.ts'
import { aDatanet, put, registered, vouchFor } from '../support/data-stage.ts'
import { EMULATOR_LIMIT_MS, startTestAws, TEST_LIMIT_MS, type TestAws } from '../support/emulator.ts'
import { aStage, walletOf } from '../support/governance-stage.ts'
import { proveRuns } from '../support/prove-runs.ts'

/** A function may die before or after any of its calls; whoever started it starts it again. */

const { genesis } = aStage()
/** Of a hundred calls this many die, half of them after the call had its effect. */
const DEATHS_PER_HUNDRED = 15
/** A call of the emulator takes milliseconds, a run some hundred calls. */
const RUN_COST = 40
class Died extends Error {}

let aws: TestAws
beforeAll(async () => {
  aws = await startTestAws()
  await callRoute(logGenesis)
}, EMULATOR_LIMIT_MS)
afterAll(() => aws?.stop())

/** The same port, on which any asynchronous call may die before or after it was done. */
function dying<T extends object>(port: T, random: () => number): T {
  return new Proxy(port, {
    get(target, name) {
      const call: unknown = Reflect.get(target, name)
      if (typeof call !== 'function') return call
      return async (...given: unknown[]) => {
        const fate = random() * 100
        if (fate < DEATHS_PER_HUNDRED / 2) throw new Died()
        const answer: unknown = await Reflect.apply(call, target, given)
        if (fate < DEATHS_PER_HUNDRED) throw new Died()
        return answer
      }
    },
  })
}

/** As the machine retries a state, until it is through; `deaths` counts what it took. */
async function untilDone<T>(step: () => Promise<T>, deaths: { count: number }): Promise<T> {
  for (;;) {
    try {
      return await step()
    } catch (error) {
      if (!(error instanceof Died)) throw error
      deaths.count++
    }
  }
}

async function intake(submissionId: Bytes32, random: () => number, deaths: { count: number }) {
  const facts = () => ({
    genesis,
    datanets: dying(deps.datanets(), random),
    submissions: dying(deps.submissions(), random),
    records: dying(deps.records(), random),
    accounts: dying(deps.accounts(), random),
    artifacts: deps.artifacts(),
    uploads: dying(deps.uploads(), random),
    data: dying(deps.dataFiles(), random),
    log: dying(deps.log(), random),
    signer: dying(deps.receiptSigner(), random),
    pause: deps.pause,
  })
  const inspection = await untilDone(
    () => inspectSubmission(facts(), { submissionId, now: Date.now() }),
    deaths,
  )
  const { tag } = inspection
  let isDone = inspection.verdict !== 'compare'
  while (!isDone) {
    const given = { submissionId, tag, shouldStop: () => random() < 0.2 }
    isDone = (await untilDone(() => compareRecords(facts(), given), deaths)).isDone
  }
  await untilDone(() => commitSubmission(facts(), { submissionId, inspection, now: Date.now() }), deaths)
  await untilDone(() => receiptOfSubmission(facts(), submissionId), deaths)
}

test(
  'whatever dies when, each record is accepted once and each upload has one outcome, one leaf and its objects',
  async () => {
    let runs = 0
    const deaths = { count: 0 }
    await fc.assert(
      fc.asyncProperty(fc.nat(), fc.integer({ min: 1, max: 24 }), async (seed, overlap) => {
        const random = seededRandom(seed)
        const name = `chaos ${seed} ${overlap} ${runs++}`
        const datanetId = await aDatanet(name)
        const shared = someRecords(24, name)
        const uploads = await Promise.all(
          ['one', 'two', 'three'].map(async own => {
            const wallet = walletOf(`${name} ${own}`)
            await vouchFor(wallet)
            const records = [...shared.slice(0, overlap), ...someRecords(24 - overlap, `${name} ${own}`)]
            const contribution = await aContribution({ genesis, datanetId, wallet, records })
            const { submissionId, upload } = await registered(contribution)
            await put(upload, contribution.bytes)
            return submissionId
          }),
        )
        // One of them is told twice.
        await Promise.all([...uploads, uploads[0]!].map(id => intake(id, random, deaths)))

        const ended = await Promise.all(uploads.map(id => deps.submissions().get(id)))
        const accepted = ended.map(submission => submission?.outcome?.accepted ?? 0)
        const total = overlap + 3 * (24 - overlap)
        expect(accepted.reduce((sum, count) => sum + count, 0)).toBe(total)
        for (const submission of ended) {
          const { outcome } = submission!
          const refused = Object.values(outcome!.refused).reduce((sum, count) => sum + count, 0)
          expect(outcome!.accepted + refused).toBe(24)
          expect(submission!.receipt).not.toBeNull()
          if (outcome!.object !== null) {
            const bytes = await deps.dataFiles().get(outcome!.object.key)
            expect(readCurated(submission!, bytes)).toHaveLength(outcome!.accepted)
          }
        }
        const { size } = await deps.logBook().head()
        const leaves = (await deps.logBook().entries(0, size)).map(entry =>
          JSON.parse(Buffer.from(entry).toString()),
        )
        const own = leaves.filter(leaf => uploads.includes(leaf.submissionId))
        expect(own.map(leaf => leaf.submissionId).sort()).toEqual([...uploads].sort())
        const { body } = await callRoute(getDatanet, { params: { id: datanetId } })
        expect(body.counts).toMatchObject({ submissions: 3, acceptedRecords: total })
      }),
      proveRuns(RUN_COST),
    )
    // Without deaths the statement would be about nothing.
    expect(deaths.count).toBeGreaterThan(runs)
  },
  10 * TEST_LIMIT_MS,
)
