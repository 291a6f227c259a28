import { createWriteStream } from 'node:fs'
import { Worker } from 'node:worker_threads'

/**
 * The emulator gives a streamed answer in one piece, so streamed functions run here: the handler's own module,
 * each in a worker thread with the environment of its Lambda and nothing else of this process.
 */

/** The first request of a function waits for its module; a busy machine takes seconds. */
const READY_WITHIN_MS = 60_000

export type StreamedFunctions = {
  /** Where the handler answers `POST { event }`; started at its first use, and again after a crash. */
  url(handler: string): Promise<URL>
  close(): Promise<void>
}

type Running = { readonly worker: Worker; readonly url: Promise<URL> }

/**
 * @param environments the variables of each handler's Lambda, by handler (`serving/create-chat-completion`)
 * @param logFile takes what the handlers log; without it that goes where this process's output goes
 */
export function streamedFunctions(
  environments: Readonly<Record<string, Readonly<Record<string, string>>>>,
  logFile?: string,
): StreamedFunctions {
  const running = new Map<string, Running>()
  let closed = false

  const start = (handler: string): Running => {
    const env = environments[handler]
    if (closed || env === undefined) throw new Error(`There is no environment for functions/${handler}.ts`)
    const worker = new Worker(new URL('./streamed-worker.ts', import.meta.url), {
      env: { ...env },
      name: handler,
      stdout: logFile !== undefined,
      stderr: logFile !== undefined,
      workerData: { module: new URL(`../../functions/${handler}.ts`, import.meta.url).href },
    })
    if (logFile !== undefined) {
      const log = createWriteStream(logFile, { flags: 'a' })
      worker.stdout.pipe(log, { end: false })
      worker.stderr.pipe(log, { end: false })
    }
    const ready = Promise.withResolvers<URL>()
    const slow = setTimeout(() => {
      ready.reject(new Error(`functions/${handler}.ts was not ready within ${READY_WITHIN_MS / 1000} s`))
      void worker.terminate()
    }, READY_WITHIN_MS)
    worker.once('message', (port: number) => ready.resolve(new URL(`http://127.0.0.1:${port}/`)))
    worker.once('error', error => {
      console.error(`functions/${handler}.ts crashed`, error)
      ready.reject(error)
    })
    worker.once('exit', code => {
      clearTimeout(slow)
      if (running.get(handler)?.worker === worker) running.delete(handler)
      ready.reject(new Error(`functions/${handler}.ts ended (${code})`))
    })
    ready.promise.then(
      () => clearTimeout(slow),
      () => undefined,
    )
    return { worker, url: ready.promise }
  }

  return {
    async url(handler) {
      const known = running.get(handler) ?? start(handler)
      running.set(handler, known)
      return known.url
    },
    async close() {
      closed = true
      await Promise.all([...running.values()].map(({ worker }) => worker.terminate()))
    },
  }
}
