import { DefaultRenderer, Listr, type ListrTaskWrapper, SimpleRenderer } from 'listr2'

/** Tells a person how far a play is: a task list where there is a terminal, plain lines where there is none. */
export type Progress = {
  step<T>(title: string, work: () => Promise<T>): Promise<T>
  say(line: string): void
  end(): void
}

export function progressOf(output: NodeJS.WriteStream): Progress {
  return output.isTTY ? taskList() : plainLines(line => output.write(`${line}\n`))
}

function plainLines(write: (line: string) => void): Progress {
  const startedAt = Date.now()
  const at = () => `${((Date.now() - startedAt) / 1_000).toFixed(0).padStart(5)} s`
  const say = (line: string) => write(`${at()}    ${line}`)
  return {
    async step(title, work) {
      write(`${at()}  ${title}`)
      const begun = Date.now()
      const result = await work()
      write(`${at()}  done: ${title} (${((Date.now() - begun) / 1_000).toFixed(1)} s)`)
      return result
    },
    say,
    end: () => undefined,
  }
}

/** Each step is a list of one task: steps are known one at a time, and finished ones stay on the screen. */
function taskList(): Progress {
  let current: ListrTaskWrapper<unknown, typeof DefaultRenderer, typeof SimpleRenderer> | undefined
  return {
    async step(title, work) {
      let result: { value: Awaited<ReturnType<typeof work>> } | undefined
      const startedAt = Date.now()
      await new Listr<unknown, typeof DefaultRenderer, typeof SimpleRenderer>(
        [
          {
            title,
            rendererOptions: { outputBar: 3 },
            task: async (_, task) => {
              current = task
              result = { value: await work() }
              task.title = `${title} (${((Date.now() - startedAt) / 1_000).toFixed(1)} s)`
            },
          },
        ],
        { renderer: DefaultRenderer, fallbackRenderer: SimpleRenderer },
      ).run()
      if (result === undefined) throw new Error(`${title} did not end`)
      return result.value
    },
    say: line => {
      if (current === undefined) process.stdout.write(`${line}\n`)
      else current.output = line
    },
    end: () => {
      current = undefined
    },
  }
}
