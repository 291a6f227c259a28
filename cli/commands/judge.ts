import { createInterface } from 'node:readline/promises'
import type { Command } from 'commander'
import { OpenLedgerError } from '../../domain/errors.ts'
import { judge as send } from '../actions/judge.ts'
import { id } from '../arguments.ts'
import { contextOf, walletOf } from '../context.ts'

const ANSWERS = { 1: 'first', 2: 'second', 0: 'tie' } as const
type Answer = (typeof ANSWERS)[keyof typeof ANSWERS]

/** Shows a validator's tasks one by one and sends a signed verdict for each. */
export function judge(program: Command): void {
  program
    .command('judge')
    .argument('<round>', 'its id; `status` shows open rounds', id)
    .description('judge your tasks of an open round, one by one; what was judged before is not asked again')
    .option('--key-file <file>', 'private key of the validator (or OPENLEDGER_KEY)')
    .action(async (roundId: string, options: { keyFile?: string }, command: Command) => {
      const { session, show } = contextOf(command)
      const wallet = walletOf(options)
      const opened = await session()
      const round = await opened.client.call('getRound', { params: { id: roundId } })
      const { items } = await opened.client.call('listTasks', {
        params: { id: roundId },
        query: { validator: wallet.address },
      })
      const waiting = items.filter(task => !task.judged)
      if (waiting.length > 0) {
        console.error(`${round.rubric}\n`)
        const { ask, close } = asker()
        try {
          for (const [index, task] of waiting.entries()) {
            const asked = task.messages.map(message => `${message.role}: ${message.content}`).join('\n')
            console.error(
              `${index + 1} of ${waiting.length}\n${asked}\n  first:  ${task.first}\n  second: ${task.second}`,
            )
            const verdict = {
              function: await ask('Function?'),
              logic: await ask('Logic?'),
              ethics: await ask('Ethics?'),
            }
            await send(opened, wallet, { roundId, taskId: task.taskId, verdict })
          }
        } finally {
          close()
        }
      }
      show({
        json: { roundId, judged: waiting.length, tasks: items.length, state: round.state },
        lines: [
          waiting.length > 0
            ? `${waiting.length} tasks judged; thank you`
            : items.length > 0
              ? `All your ${items.length} tasks are judged already`
              : `There is no task for ${wallet.address} in this round (${round.state})`,
        ],
      })
    })
}

/** Asks on the terminal; answers may also come through a pipe, a line each. */
function asker(): { ask: (question: string) => Promise<Answer>; close: () => void } {
  const terminal = createInterface({ input: process.stdin })
  const lines = terminal[Symbol.asyncIterator]()
  return {
    close: () => terminal.close(),
    ask: async question => {
      for (;;) {
        process.stderr.write(`${question} (1 first, 2 second, 0 tie) `)
        const { value, done } = await lines.next()
        if (done === true)
          throw new OpenLedgerError('malformed', 'The answers ended before the tasks', {
            expected: '1, 2 or 0 for each question; judged tasks are kept, so go on by the same command',
            seen: 'the end of the input',
          })
        const said = value.trim()
        if (said === '0' || said === '1' || said === '2') return ANSWERS[said]
      }
    },
  }
}
