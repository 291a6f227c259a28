import { answerWithLevel, type IamAction, iamActions, nameOf, requestFor } from './iam-actions.ts'
import { seededOrder } from './seeded-order.ts'

/** Fixed before anything was trained; changing it changes every split. */
export const SEED = 'iam-assistant 1'

export type PlaySize = {
  readonly contributors: number
  readonly recordsPerContributor: number
  readonly evaluationItems: number
  readonly usefulnessItems: number
  readonly promptsPerRound: readonly [first: number, second: number]
  readonly goldPairs: number
}
/** What two cores train, judge and align within the play's time. */
export const PLAY_SIZE: PlaySize = {
  contributors: 4,
  recordsPerContributor: 300,
  evaluationItems: 300,
  usefulnessItems: 60,
  promptsPerRound: [120, 60],
  goldPairs: 16,
}
/** For tests with a tiny random model: every step of the life, with nothing to be proud of at the end. */
export const TINY_SIZE: PlaySize = {
  contributors: 4,
  recordsPerContributor: 16,
  evaluationItems: 200,
  usefulnessItems: 8,
  promptsPerRound: [160, 48],
  goldPairs: 10,
}

export type PlayRecord = { readonly instruction: string; readonly output: string; readonly group: string }

export type Material = {
  /** Records of each honest contributor: services of their own, half of the answers in each style. */
  readonly honest: readonly (readonly PlayRecord[])[]
  /** Another's records with small changes. */
  readonly copied: readonly PlayRecord[]
  /** Well formed and wrong: the action of another need. */
  readonly careless: readonly PlayRecord[]
  /** JSONL of the sets that an operator brings; none shares a service with a contributor. */
  readonly sets: {
    readonly sealed: string
    /** Two, which take turns by period. */
    readonly usefulness: string
    readonly usefulnessNext: string
    readonly shots: string
    readonly prompts: string
    readonly gold: string
  }
  /** The action behind each request, by which scripted validators know what is right. */
  readonly known: ReadonlyMap<string, IamAction>
}

/** Enough services that what is learned is naming actions, not one service's habits. */
const SERVICES_PER_PERSON = 12

/**
 * Everything that the play's people bring, drawn from the real IAM actions by a fixed seed. Contributors hold
 * different services; evaluation, usefulness, shots, prompts and gold are drawn from all services that nobody holds,
 * and share no request.
 */
export async function playMaterial(size: PlaySize): Promise<Material> {
  const actions = await iamActions()
  const byService = Map.groupBy(actions, action => action.service)
  const services = seededOrder([...byService.keys()], SEED, service => service)

  const held: IamAction[][] = []
  let next = 0
  // One more for the careless one; the copier copies.
  for (let person = 0; person <= size.contributors; person++) {
    const own: IamAction[] = []
    for (let count = 0; count < SERVICES_PER_PERSON || own.length < size.recordsPerContributor; count++) {
      own.push(...(byService.get(services[next++] ?? '') ?? []))
    }
    held.push(seededOrder(own, `${SEED} person ${person}`, requestFor).slice(0, size.recordsPerContributor))
  }
  const free = seededOrder(
    services.slice(next).flatMap(service => byService.get(service) ?? []),
    `${SEED} free`,
    requestFor,
  )
  const take = taker(free)
  const sealed = take(size.evaluationItems)
  const usefulness = take(size.usefulnessItems)
  const shots = take(3)
  const [first, second] = size.promptsPerRound
  const prompts = [
    ...take(first).map(action => ({ action, round: 1 })),
    ...take(second).map(action => ({ action, round: 2 })),
  ]
  const gold = take(size.goldPairs)
  const usefulnessNext = take(size.usefulnessItems)

  const honest = held.slice(0, size.contributors).map(actionsOfOne => actionsOfOne.map(inEitherStyle))
  return {
    honest,
    copied: (honest[0] ?? []).map(slightlyChanged),
    careless: (held[size.contributors] ?? []).map(wrongly),
    sets: {
      sealed: jsonl(
        sealed.map((action, at) => ({ id: `sealed-${at}`, ...asked(action), answer: nameOf(action) })),
      ),
      usefulness: jsonl(usefulness.map(measured)),
      usefulnessNext: jsonl(usefulnessNext.map(measured)),
      shots: jsonl(
        shots.map((action, at) => ({
          id: `shot-${at}`,
          messages: [
            ...asked(action).messages,
            { role: 'assistant', content: inEitherStyle(action, at).output },
          ],
        })),
      ),
      prompts: jsonl(
        prompts.map(({ action, round }, at) => ({ id: `prompt-${at}`, ...asked(action), round })),
      ),
      gold: jsonl(gold.map(goldPair)),
    },
    known: new Map(actions.map(action => [requestFor(action), action])),
  }
}

function taker(pool: readonly IamAction[]) {
  let taken = 0
  return (count: number): IamAction[] => {
    const items = pool.slice(taken, taken + count)
    if (items.length < count)
      throw new Error(`The domain has no ${count} more needs: ${items.length} are left`)
    taken += count
    return items
  }
}

const asked = (action: IamAction) => ({
  messages: [{ role: 'user', content: requestFor(action) }],
  group: action.service,
})

const measured = (action: IamAction, at: number) => ({
  id: `useful-${at}`,
  ...asked(action),
  answer: answerWithLevel(action),
})

const inEitherStyle = (action: IamAction, at: number): PlayRecord => ({
  instruction: requestFor(action),
  output: at % 2 === 0 ? nameOf(action) : answerWithLevel(action),
  group: action.service,
})

/** What somebody does who hopes that nobody looks closely. */
const slightlyChanged = (record: PlayRecord, at: number): PlayRecord => {
  const changes = [
    (text: string) => `Please ${text}`,
    (text: string) => text.toUpperCase(),
    (text: string) => `${text}.`,
    (text: string) => text.replace(/\bthe\b/, 'a'),
  ]
  const change = changes[at % changes.length] ?? (text => text)
  const [service = '', need = ''] = record.instruction.split(/: (.*)/s)
  return { ...record, instruction: `${service}: ${change(need)}` }
}

const wrongly = (action: IamAction, at: number, all: readonly IamAction[]): PlayRecord => {
  const other = all[(at + 7) % all.length] ?? action
  return {
    instruction: requestFor(action),
    output: `${action.service}:${other.action}`,
    group: action.service,
  }
}

/** An answer that is right, logical and says its access level, beside one that is wrong in all three. */
/** Nobody who looks can err: the right action with its level, or the action of another service. */
const goldPair = (action: IamAction, at: number, all: readonly IamAction[]) => {
  const other = all.find(one => one.service !== action.service) ?? action
  const [good, bad] = [answerWithLevel(action), nameOf(other)]
  const better = at % 2 === 0 ? 'a' : 'b'
  return {
    id: `gold-${at}`,
    messages: asked(action).messages,
    a: better === 'a' ? good : bad,
    b: better === 'a' ? bad : good,
    truth: { ethics: better, logic: better, function: better },
  }
}

const jsonl = (items: readonly unknown[]) => items.map(item => `${JSON.stringify(item)}\n`).join('')
