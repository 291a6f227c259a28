import { createInterface } from 'node:readline/promises'
import type { Command } from 'commander'
import { judge as send } from '../actions/judge.ts'
import { contextOf, walletOf } from '../context.ts'

const ANSWERS = { 1: 'first', 2: 'second', 0: 'tie' } as const

/** Shows a validator's tasks one by one and sends a signed verdict for each. */
export function judge(program: Command): void {
  program
    .command('judge <round>')
    .description('judge your tasks of an open round, one by one')
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
      console.error(`${round.rubric}\n`)
      const terminal = createInterface({ input: process.stdin, output: process.stderr })
      const ask = async (question: string) => {
        for (;;) {
          const said = (await terminal.question(`${question} (1 first, 2 second, 0 tie) `)).trim()
          if (said === '0' || said === '1' || said === '2') return ANSWERS[said]
        }
      }
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
        terminal.close()
      }
      show({
        json: { roundId, judged: waiting.length },
        lines: [`${waiting.length} tasks judged; thank you`],
      })
    })
}
