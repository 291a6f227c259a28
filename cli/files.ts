import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { OpenLedgerError } from '../domain/errors.ts'

/** The bytes of a file that a person named; `what` is what it should be. @throws OpenLedgerError not-found */
export function readBytes(file: string, what: string): Uint8Array {
  try {
    return new Uint8Array(readFileSync(file))
  } catch (cause) {
    const { code } = cause as { code?: string }
    throw new OpenLedgerError('not-found', `${file} cannot be read`, {
      expected: what,
      seen: code === 'ENOENT' ? 'no such file' : code === 'EISDIR' ? 'a folder' : String(code),
      cause,
    })
  }
}

export const readText = (file: string, what: string): string =>
  new TextDecoder().decode(readBytes(file, what))

/** @throws OpenLedgerError not-found, malformed */
export function readJson(file: string, what: string): unknown {
  return parseJson(readText(file, what), file, what)
}

/** The value of a text that came from `file`. @throws OpenLedgerError malformed */
export function parseJson(text: string, file: string, what: string): unknown {
  try {
    return JSON.parse(text)
  } catch (cause) {
    throw new OpenLedgerError('malformed', `${file} is not JSON`, {
      expected: what,
      seen: (cause as Error).message,
      cause,
    })
  }
}

/** Asked before something is done whose result could then not be kept. @throws OpenLedgerError conflict */
export function requireNew(file: string): void {
  if (existsSync(file))
    throw new OpenLedgerError('conflict', `${file} cannot be written`, {
      expected: 'the name of a file that does not exist yet',
      seen: 'a file of this name',
    })
}

/** Writes a file of the person's own; one that exists is kept. @throws OpenLedgerError conflict */
export function writeNew(file: string, text: string, mode = 0o666): void {
  try {
    writeFileSync(file, text, { flag: 'wx', mode })
  } catch (cause) {
    const { code } = cause as { code?: string }
    throw new OpenLedgerError('conflict', `${file} cannot be written`, {
      expected: 'the name of a file that does not exist yet, in a folder that does',
      seen: code === 'EEXIST' ? 'a file of this name' : String(code),
      cause,
    })
  }
}
