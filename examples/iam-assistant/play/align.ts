import { judge } from '../../../cli/actions/judge.ts'
import { scriptedVerdict } from '../scripted-judge.ts'
import { followRun, shareOf } from './build.ts'
import { PlayFailed, type Stage, until } from './stage.ts'

const START_SECONDS = 120

/** Step 5: people judge, a reward model learns, reinforcement learning follows, and a second round decides. */
export async function followAlign(stage: Stage): Promise<Record<string, unknown>> {
  const { made } = stage
  const runId = await until('The alignment starts', START_SECONDS, () => nextRun(stage, 'align'))
  made.alignRunId = runId
  const judging = new AbortController()
  const judged = judgeRounds(stage, runId, judging.signal)
  const run = await followRun(stage, runId).finally(() => judging.abort())
  const rounds = await judged
  const output = run.output as Record<string, unknown> & {
    promoted?: boolean
    servedVersion?: string
    reason?: string
    scores?: { aligned?: Parameters<typeof shareOf>[0] }
  }
  if (output.scores?.aligned !== undefined) stage.report.scores.aligned = shareOf(output.scores.aligned)
  if (output.servedVersion === undefined)
    throw new PlayFailed(`The alignment ended ${run.state} and names no version to serve`)
  made.servedVersion = output.servedVersion
  stage.say(
    output.promoted === true ? 'The aligned candidate is promoted' : `The parent stays: ${output.reason}`,
  )
  return { runId, rounds, ...output }
}

/** The run of a later step of the build that was voted. */
export async function nextRun(stage: Stage, kind: 'align' | 'release'): Promise<string | undefined> {
  const { items } = await stage.session.client.call('listRuns')
  return items.find(run => run.kind === kind && run.proposalId === stage.made.buildProposalId)?.id
}

/** Scripted validators judge every task of every round that opens, until told to stop. */
async function judgeRounds(
  stage: Stage,
  runId: string,
  signal: AbortSignal,
): Promise<Record<string, unknown>[]> {
  const { session, people } = stage
  const done = new Map<string, Record<string, unknown>>()
  while (!signal.aborted) {
    const { items } = await session.client.call('listRounds')
    for (const round of items.filter(
      one => one.runId === runId && one.state === 'open' && !done.has(one.id),
    )) {
      const startedAt = Date.now()
      stage.say(
        `A round of judging is open: ${round.tasks} tasks for ${round.validators.length} scripted validators`,
      )
      await judgeTogether(stage, round.id)
      const seconds = Math.round((Date.now() - startedAt) / 1_000)
      done.set(round.id, { roundId: round.id, purpose: round.purpose, tasks: round.tasks, seconds })
      stage.say(`All ${round.tasks} tasks are judged`)
    }
    await new Promise(wake => setTimeout(wake, 1_000))
  }
  return Promise.all(
    [...done].map(async ([id, figures]) => {
      const { scores, agreementPpm } = await session.client.call('getRound', { params: { id } })
      const validators = scores?.map(score => ({
        manner: people.validators.find(({ wallet }) => wallet.address.toLowerCase() === score.validator)
          ?.manner,
        standing: score.standing,
        weightPpm: score.weightPpm,
        goldPpm: score.gold?.valuePpm ?? null,
      }))
      return { ...figures, agreementPpm, validators }
    }),
  )
}

/** Two at a time: more would only wake more copies of one function on a small machine. */
async function judgeTogether(stage: Stage, roundId: string) {
  const waiting = [...stage.people.validators]
  const next = async () => {
    for (let validator = waiting.shift(); validator !== undefined; validator = waiting.shift()) {
      await judgeAll(stage, roundId, validator)
    }
  }
  await Promise.all([next(), next()])
}

async function judgeAll(
  stage: Stage,
  roundId: string,
  { wallet, manner }: Stage['people']['validators'][number],
) {
  const { session, material } = stage
  const { items } = await session.client.call('listTasks', {
    params: { id: roundId },
    query: { validator: wallet.address },
  })
  for (const task of items.filter(one => !one.judged)) {
    const request = task.messages.at(-1)?.content ?? ''
    const verdict = scriptedVerdict(manner, task, material.known.get(request), wallet.address, stage.taste)
    await judge(session, wallet, { roundId, taskId: task.taskId, verdict })
  }
}
