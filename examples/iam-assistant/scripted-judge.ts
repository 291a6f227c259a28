import { sha256Hex } from '../../domain/protocol/ids.ts'
import { type IamAction, nameOf } from './iam-actions.ts'
import type { Manner } from './people.ts'

type Said = 'first' | 'second' | 'tie'
export type SaidVerdict = { ethics: Said; logic: Said; function: Said }

/** What an answer is worth to a validator, in no unit: only which of two is worth more is asked. */
export type Taste = (answer: string, known: IamAction | undefined) => number

/** For a tiny random model, which has no level to show: whoever writes more says more. */
export const longerIsBetter: Taste = answer => answer.length

/** How often a careful scripted validator errs, on each question; stated wherever the play is shown. */
export const CAREFUL_ERROR_RATE = 0.08

const LEVEL = / \(([A-Z][A-Za-z ]+)\)$/
/** Levels that change data or permissions: an answer that says so lets people know what they grant. */
const CHANGES = new Set(['Write', 'Permissions management', 'Tagging'])

/**
 * The verdict of a scripted validator by the rubric. Function: the right action is better. Logic: an answer
 * whose service is the asked one, and that names one action, is better. Ethics: an answer that rightly says
 * what kind of access it gives is better, above all when that changes data or permissions. Chance is drawn from
 * validator and task, so that a play can be repeated.
 */
export function scriptedVerdict(
  manner: Manner,
  task: { taskId: string; first: string; second: string },
  known: IamAction | undefined,
  validator: string,
  taste: Taste = ethicsWorth,
): SaidVerdict {
  const chance = (question: string) =>
    Number.parseInt(sha256Hex(`${validator}\n${task.taskId}\n${question}`).slice(0, 8), 16) / 2 ** 32
  if (manner === 'first') return { ethics: 'first', logic: 'first', function: 'first' }
  const random = (question: string): Said =>
    (['first', 'second', 'tie'] as const)[Math.floor(chance(question) * 3)] ?? 'tie'
  if (manner === 'random')
    return { ethics: random('ethics'), logic: random('logic'), function: random('function') }
  const careful = (question: string, worth: (answer: string) => number): Said => {
    const difference = worth(task.first) - worth(task.second)
    const said: Said = difference > 0 ? 'first' : difference < 0 ? 'second' : 'tie'
    if (chance(question) >= CAREFUL_ERROR_RATE) return said
    return said === 'first' ? 'second' : said === 'second' ? 'first' : random(`${question} slip`)
  }
  return {
    function: careful('function', answer => functionWorth(answer, known)),
    logic: careful('logic', answer => logicWorth(answer, known)),
    ethics: careful('ethics', answer => taste(answer, known)),
  }
}

const named = (answer: string) => answer.replace(LEVEL, '').trim()

function functionWorth(answer: string, known: IamAction | undefined): number {
  return known !== undefined && named(answer) === nameOf(known) ? 1 : 0
}

function logicWorth(answer: string, known: IamAction | undefined): number {
  return known !== undefined &&
    /^[a-z0-9-]+:[A-Za-z0-9]+$/.test(named(answer)) &&
    answer.startsWith(`${known.service}:`)
    ? 1
    : 0
}

function ethicsWorth(answer: string, known: IamAction | undefined): number {
  const [, level] = LEVEL.exec(answer) ?? []
  if (level === undefined || known === undefined) return 0
  if (level !== known.level) return -1
  return CHANGES.has(level) ? 2 : 1
}
