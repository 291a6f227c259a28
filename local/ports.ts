/** Free ports on 127.0.0.1, the same ones again after a restart where possible. */
import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { dirname } from 'node:path'

/**
 * Below the ranges from which systems take ports for outgoing connections (Linux 32768, macOS 49152), so
 * that no client grabs a port between two starts.
 */
const FIRST_PORT = 20_000
const LAST_PORT = 31_999
/** Far more tries than any machine with a usable range needs. */
const MAX_TRIES = 200

/** A port of 127.0.0.1 on which nobody listens now. */
export async function freePort(): Promise<number> {
  return pickFree(new Set())
}

export type ClaimedPorts<Name extends string> = {
  ports: Record<Name, number>
  /** The names whose port of last time was taken; whatever holds its old address has to be told. */
  changed: { name: Name; was: number; now: number }[]
}

/**
 * One port for each name: the one of last time (kept in `file`) where it is free, else a new one.
 * The choice is written back to `file`, whose other names are kept.
 */
export async function claimPorts<const Name extends string>(
  names: readonly Name[],
  file: string,
): Promise<ClaimedPorts<Name>> {
  const known = readKnown(file)
  const taken = new Set(Object.values(known))
  const ports = {} as Record<Name, number>
  const changed: ClaimedPorts<Name>['changed'] = []
  for (const name of names) {
    const was = known[name]
    if (was !== undefined && (await isFree(was))) {
      ports[name] = was
      continue
    }
    const now = await pickFree(taken)
    taken.add(now)
    ports[name] = now
    if (was !== undefined) changed.push({ name, was, now })
  }
  mkdirSync(dirname(file), { recursive: true })
  writeFileSync(`${file}.tmp`, `${JSON.stringify({ ...known, ...ports }, null, 2)}\n`)
  renameSync(`${file}.tmp`, file)
  return { ports, changed }
}

async function pickFree(taken: ReadonlySet<number>): Promise<number> {
  for (let tries = 0; tries < MAX_TRIES; tries++) {
    const port = FIRST_PORT + Math.floor(Math.random() * (LAST_PORT - FIRST_PORT + 1))
    if (!taken.has(port) && (await isFree(port))) return port
  }
  throw new Error(`No free port on 127.0.0.1 between ${FIRST_PORT} and ${LAST_PORT}`)
}

function isFree(port: number): Promise<boolean> {
  return new Promise(resolve => {
    const server = createServer()
    server.once('error', () => resolve(false))
    server.listen({ port, host: '127.0.0.1', exclusive: true }, () => server.close(() => resolve(true)))
  })
}

function readKnown(file: string): Record<string, number> {
  try {
    const parsed: unknown = JSON.parse(readFileSync(file, 'utf8'))
    if (typeof parsed !== 'object' || parsed === null) return {}
    return Object.fromEntries(
      Object.entries(parsed).filter((entry): entry is [string, number] => isPort(entry[1])),
    )
  } catch {
    return {} // first start, or a file that is not worth keeping
  }
}

function isPort(value: unknown): value is number {
  return typeof value === 'number' && Number.isInteger(value) && value > 1023 && value < 65_536
}
