import { type AlignInput, alignInput } from '../../api/schemas/governance.ts'
import type { Lineage } from '../../api/schemas/training.ts'
import { closeRound } from '../../domain/alignment/close-round.ts'
import { judgeCandidate } from '../../domain/alignment/judge-round.ts'
import { roundIdOf } from '../../domain/alignment/open-round.ts'
import { OpenLedgerError } from '../../domain/errors.ts'
import { parseBytes32 } from '../../domain/protocol/hex.ts'
import { resultsOf } from '../../domain/training/answers.ts'
import { guardGate, pairedDifference } from '../../domain/training/gate.ts'
import { scoreOf } from '../../domain/training/judge-fine-tune.ts'
import type { Version } from '../../domain/training/ports.ts'
import { parseRecipe, type Recipe } from '../../domain/training/recipe.ts'
import { registerVersion } from '../../domain/training/register-version.ts'
import { goldOf, pairsOfRound } from '../alignment/round-pairs.ts'
import { deps } from '../deps.ts'
import { logger } from '../http/endpoint.ts'
import { answersUnder, weightsUnder } from './job-outputs.ts'

type Jobs = Record<'sample' | 'reward' | 'align' | 'evaluate' | 'candidate' | 'parent', string>
type Run = { runId: string; warrantId: string; proposalId: string; input: unknown }
type Event = { run: Run; preferences: unknown; reward: unknown; jobs: Jobs }

/** Scores the second round, decides by it and by the exact-match guard, and registers the candidate either way. */
export const handler = async ({ run, preferences, reward, jobs }: Event) => {
  const input = alignInput.parse(run.input)
  const recipe = parseRecipe(await deps.artifacts().get(`recipes/${input.recipe}.json`), input.recipe)
  const parent = await requiredParent(input)

  const roundId = roundIdOf(parseBytes32(run.runId), 'verification')
  const { scores: round, file } = await closeRound(
    { rounds: deps.rounds(), files: deps.publicFiles(), log: deps.log() },
    { roundId, gold: await goldOf(input.goldSet) },
  )
  const judged = judgeCandidate(input, round, await pairsOfRound(run.runId, 'verification', jobs))

  const guard = await exactMatchGuard(run, input, parent, jobs)
  const promoted = judged.promoted && guard.gate.passed
  const reason =
    judged.promoted && !guard.gate.passed
      ? 'not-aligned: exact match lost more than the margin'
      : judged.reason
  const version = await registerVersion(
    { versions: deps.versions(), files: deps.publicFiles(), log: deps.log() },
    {
      lineage: lineageOf(run, input, parent, recipe, jobs, {
        round: roundId,
        scores: guard.scores,
        gate: guard.gate,
        weights: await weightsUnder(`runs/${run.runId}/${jobs.align}/output/model/`),
      }),
      promoted,
      now: Date.now(),
    },
  )
  logger.info('version.registered', { versionId: version.id, runId: run.runId, promoted })
  return {
    passed: promoted,
    output: {
      version: version.id,
      servedVersion: promoted ? version.id : parent.id,
      promoted,
      reason,
      preferences,
      reward,
      secondRound: { roundId, file, decision: judged.decision },
      scores: guard.scores,
      gate: guard.gate,
      jobs,
    },
  }
}

async function requiredParent(input: AlignInput): Promise<Version> {
  const parent = await deps.versions().get(parseBytes32(input.parentVersion))
  if (parent !== null) return parent
  throw new OpenLedgerError('not-found', 'The parent version is not registered', {
    seen: input.parentVersion,
  })
}

/** The candidate may lose at most the voted margin of exact match against its parent, on the same sealed items. */
async function exactMatchGuard(run: Run, input: AlignInput, parent: Version, jobs: Jobs) {
  const evaluation = parent.lineage.jobs.find(job => job.program === 'evaluate')
  const before = await answersUnder(`runs/${parent.lineage.runId}/${evaluation?.name}/output/model/`)
  const after = await answersUnder(`runs/${run.runId}/${jobs.evaluate}/output/model/`)
  const [aligned, tuned] = [resultsOf(after, 'tuned'), resultsOf(before, 'tuned')]
  const difference = pairedDifference(aligned, tuned)
  const { passed } = guardGate(difference, input.gate.guardMarginPpm)
  const gate: Lineage['gate'] = {
    passed,
    differencePpm: difference.valuePpm,
    lowPpm: difference.lowPpm,
    highPpm: difference.highPpm,
    n: difference.n,
  }
  return { gate, scores: { tuned: scoreOf(tuned), aligned: scoreOf(aligned) } }
}

function lineageOf(
  run: Run,
  input: AlignInput,
  parent: Version,
  recipe: Recipe,
  jobs: Jobs,
  made: Pick<Lineage, 'round' | 'scores' | 'gate' | 'weights'>,
): Lineage {
  const { image } = deps.modelProfile(input.modelProfile).training
  const programs = [
    [jobs.sample, 'generate'],
    [jobs.reward, 'reward_model'],
    [jobs.align, 'align'],
    [jobs.evaluate, 'evaluate'],
    [jobs.candidate, 'generate'],
    [jobs.parent, 'generate'],
  ] as const
  return {
    schema: 1,
    deploymentId: deps.genesis().deploymentId,
    kind: 'align',
    datanetId: input.datanetId,
    parent: parent.id,
    baseModel: parent.lineage.baseModel,
    warrantId: run.warrantId,
    proposalId: run.proposalId,
    runId: run.runId,
    dataset: parent.lineage.dataset,
    recipe: input.recipe,
    code: recipe.code,
    jobs: programs.map(([name, program]) => ({ name, program, image })),
    ...made,
  }
}
