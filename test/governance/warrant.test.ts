import { randomBytes } from 'node:crypto'
import type { FineTuneInput } from '../../api/schemas/governance.ts'
import { closeVote, shutGates } from '../../domain/governance/close-vote.ts'
import { executeProposal } from '../../domain/governance/execute-proposal.ts'
import type { DigestSigner } from '../../domain/governance/ports.ts'
import { runIdOf, type WarrantedInput } from '../../domain/governance/warrant.ts'
import { parseBytes32 } from '../../domain/protocol/hex.ts'
import { documentId, keccak256Hex, sha256Hex } from '../../domain/protocol/ids.ts'
import { continueBuild } from '../../domain/training/continue-build.ts'
import type { Run } from '../../domain/training/ports.ts'
import { startRun } from '../../domain/training/start-run.ts'
import { aStage, memorySigner } from '../support/governance-stage.ts'

const digest = sha256Hex('some digest')
const aFineTune: FineTuneInput = {
  datanetId: keccak256Hex('a datanet'),
  dataset: { datasetId: keccak256Hex('a dataset'), trainRoot: digest, trainRecords: 10, logSize: 12 },
  baseModel: digest,
  modelProfile: 'cpu-135m',
  recipe: digest,
  sealedSet: digest,
  shotSet: digest,
  gate: { targetLowerBoundPpm: 0, guardMarginPpm: 50_000, evaluationItems: 200 },
}
const aBuild = {
  type: 'build',
  input: { fineTune: aFineTune, release: { datanetId: aFineTune.datanetId, alias: 'assistant' } },
  budgetUsdMicro: 1_000_000,
} as const

/** A stage with a passed build, and what the executor started. */
async function aPassedBuild(signer: DigestSigner = memorySigner('warrant key')) {
  const stage = aStage()
  const proposal = await stage.openVote('alice', aBuild)
  await stage.vote(proposal.id, 'alice', 1)
  stage.closes(proposal)
  await shutGates(stage.deps, { proposalId: proposal.id, now: stage.clock.now })
  await closeVote(stage.deps, { proposalId: proposal.id, now: stage.clock.now })
  stage.clock.now += stage.genesis.rules.timelockSeconds * 1_000

  const started: { machine: string; name: string; input: WarrantedInput }[] = []
  const runs = new Map<string, Run>()
  const deps = {
    ...stage.deps,
    signer,
    machines: {
      start: async (machine: string, name: string, input: unknown) => {
        if (!started.some(one => one.name === name))
          started.push({ machine, name, input: input as WarrantedInput })
      },
    },
    openDatanet: async () => ({ datanetId: keccak256Hex('a datanet') }),
    runs: {
      begin: async (run: Run) => {
        const kept = runs.get(run.id) ?? run
        runs.set(run.id, kept)
        return kept
      },
      get: async (id: string) => runs.get(id) ?? null,
      list: async () => ({ items: [...runs.values()], cursor: null }),
      planned: async () => undefined,
      end: async (id: string, execution: string, end: Partial<Run>) => {
        const run = runs.get(id)
        if (run?.state === 'running' && run.execution === execution) runs.set(id, { ...run, ...end })
      },
    },
  }
  const execute = () => executeProposal(deps, { proposalId: proposal.id, now: stage.clock.now })
  const begin = (
    input: unknown,
    execution = 'execution-1',
    machine: 'fine-tune' | 'align' | 'release' = 'fine-tune',
  ) =>
    startRun(
      { ...deps, signer: memorySigner('warrant key') },
      { machine, execution, started: input, now: stage.clock.now },
    )
  return { stage, proposal, deps, started, runs, execute, begin }
}

/** A start whose warrant document is changed and signed again by `signer`. */
async function resigned(
  start: WarrantedInput,
  change: object,
  signer: DigestSigner,
  stage: ReturnType<typeof aStage>,
) {
  const { hashTypedData } = await import('../../domain/protocol/typed-data.ts')
  const { sha256ToBytes32, parseSha256Hex } = await import('../../domain/protocol/hex.ts')
  const document = { ...start.warrant.document, ...change }
  const id = documentId(document)
  const signature = await signer.sign(
    hashTypedData(stage.genesis, 'Warrant', {
      warrantId: id,
      proposalId: parseBytes32(document.proposalId),
      action: document.action,
      inputHash: parseBytes32(document.inputHash),
      budgetUsdMicro: BigInt(document.budgetUsdMicro),
      expiresAt: Date.parse(document.expiresAt),
      ballotFileDigest: sha256ToBytes32(parseSha256Hex(document.ballotFileSha256)),
    }),
  )
  return { ...start, runId: runIdOf(id, start.attempt), warrant: { id, document, signature } }
}

test('50 simultaneous triggers start one execution with one warrant', async () => {
  const { started, execute, deps, proposal } = await aPassedBuild()
  await Promise.all(Array.from({ length: 50 }, execute))
  expect(started).toHaveLength(1)
  expect(await deps.warrants.list(proposal.id)).toHaveLength(1)
})

test('nothing executes before the timelock is over, nor when the window has passed', async () => {
  const { stage, execute } = await aPassedBuild()
  const executable = stage.clock.now
  stage.clock.now = executable - 1
  await expect(execute()).rejects.toMatchObject({
    code: 'proposal-not-open',
    seen: expect.stringContaining('timelock'),
  })
  stage.clock.now = executable + stage.genesis.rules.executionWindowSeconds * 1_000 + 1
  await expect(execute()).rejects.toMatchObject({ code: 'proposal-not-open', seen: 'expired' })
})

test('the execution that the vote started passes its first state, again too after a lost answer', async () => {
  const { started, execute, begin } = await aPassedBuild()
  await execute()
  const first = await begin(started[0]?.input)
  expect(first).toMatchObject({ attempt: 1, input: aFineTune })
  await expect(begin(started[0]?.input)).resolves.toEqual(first)
})

describe('an execution does not pass its first state', () => {
  const cases: [string, string, (start: WarrantedInput, stage: ReturnType<typeof aStage>) => unknown][] = [
    ['without a warrant', 'warrant-missing', start => ({ input: start.input })],
    ['started by hand with nothing', 'warrant-missing', () => ({})],
    [
      'with another input',
      'warrant-input-mismatch',
      start => ({ ...start, input: { ...aFineTune, sealedSet: sha256Hex('other') } }),
    ],
    [
      'with a forged signature',
      'warrant-invalid',
      start => ({
        ...start,
        warrant: { ...start.warrant, signature: `0x${randomBytes(64).toString('hex')}1b` },
      }),
    ],
    [
      'with a larger budget',
      'warrant-invalid',
      start => ({
        ...start,
        warrant: { ...start.warrant, document: { ...start.warrant.document, budgetUsdMicro: 9e9 } },
      }),
    ],
    ['with an attempt that nobody permitted', 'warrant-invalid', start => ({ ...start, attempt: 2 })],
    [
      'with a warrant of another key, well formed',
      'warrant-invalid',
      (start, stage) => resigned(start, {}, memorySigner('another key'), stage),
    ],
    [
      'with a well-signed warrant that was never issued',
      'warrant-invalid',
      (start, stage) => resigned(start, { budgetUsdMicro: 2 }, memorySigner('warrant key'), stage),
    ],
    [
      'with a well-signed warrant over a missing ballot file',
      'warrant-invalid',
      (start, stage) => resigned(start, { ballotFileSha256: digest }, memorySigner('warrant key'), stage),
    ],
    [
      'with a warrant of another action',
      'warrant-invalid',
      (start, stage) => resigned(start, { action: 'align' }, memorySigner('warrant key'), stage),
    ],
  ]
  test.each(cases)('%s', async (_name, code, change) => {
    const { stage, started, execute, begin } = await aPassedBuild()
    await execute()
    const changed = await change(started[0]?.input as WarrantedInput, stage)
    await expect(begin(changed)).rejects.toMatchObject({ code })
  })

  test('a second time under another name', async () => {
    const { started, execute, begin } = await aPassedBuild()
    await execute()
    await begin(started[0]?.input)
    await expect(begin(started[0]?.input, 'execution-2')).rejects.toMatchObject({ code: 'warrant-used' })
  })

  test('after the warrant has expired', async () => {
    const { stage, started, execute, begin } = await aPassedBuild()
    await execute()
    stage.clock.now += stage.genesis.rules.executionWindowSeconds * 1_000 + 1
    await expect(begin(started[0]?.input)).rejects.toMatchObject({ code: 'warrant-expired' })
  })

  test('with a well-signed warrant over the ballot file of a failed vote', async () => {
    const { stage, started, execute, begin } = await aPassedBuild()
    await execute()
    const lost = await stage.openVote('bob', aBuild)
    await stage.vote(lost.id, 'alice', 0)
    stage.closes(lost)
    await shutGates(stage.deps, { proposalId: lost.id, now: stage.clock.now })
    const result = await closeVote(stage.deps, { proposalId: lost.id, now: stage.clock.now })
    expect(result.outcome).toBe('defeated')
    const change = { proposalId: lost.id, ballotFileSha256: result.ballotFile.sha256 }
    const forged = await resigned(
      started[0]?.input as WarrantedInput,
      change,
      memorySigner('warrant key'),
      stage,
    )
    await expect(begin(forged)).rejects.toMatchObject({
      code: 'warrant-invalid',
      seen: expect.stringContaining('quorum not reached'),
    })
  })
})

describe('a build goes on by itself', () => {
  const end = (run: { runId: string; proposalId: string }, passed: boolean, now: number) => ({
    runId: parseBytes32(run.runId),
    proposalId: parseBytes32(run.proposalId),
    machine: 'fine-tune' as const,
    execution: 'execution-1',
    passed,
    output: { version: keccak256Hex('a version') },
    now,
  })

  test('a passed gate mints the warrant of the next step for exactly what was made', async () => {
    const { stage, started, execute, begin, deps } = await aPassedBuild()
    await execute()
    const run = await begin(started[0]?.input)
    await continueBuild(deps, end(run, true, stage.clock.now))
    expect(started[1]).toMatchObject({
      machine: 'release',
      input: { input: { version: keccak256Hex('a version'), alias: 'assistant' } },
    })
    await expect(begin(started[1]?.input, 'execution-2', 'release')).resolves.toMatchObject({ attempt: 1 })
  })

  test('a failed gate ends it', async () => {
    const { stage, started, execute, begin, deps, runs } = await aPassedBuild()
    await execute()
    const run = await begin(started[0]?.input)
    await expect(continueBuild(deps, end(run, false, stage.clock.now))).resolves.toEqual({})
    expect(started).toHaveLength(1)
    expect(runs.get(run.runId)?.state).toBe('gate-failed')
  })
})
