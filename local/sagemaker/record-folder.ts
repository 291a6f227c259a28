/** Records of one kind kept in memory and as one JSON file each, so that a crash loses at most one change. */
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

export type RecordFolder<T> = {
  get(name: string): T | undefined
  all(): T[]
  /** Keeps the record, on disk too: written beside and renamed, so that a reader never sees half of one. */
  put(name: string, record: T): void
  remove(name: string): void
}

/** Opens `folder`; names are AWS resource names (letters, digits, dashes), which makes them file names. */
export function openRecordFolder<T>(folder: string): RecordFolder<T> {
  mkdirSync(folder, { recursive: true })
  const records = new Map<string, T>()
  for (const file of readdirSync(folder)) {
    if (file.endsWith('.json'))
      records.set(file.slice(0, -'.json'.length), JSON.parse(readFileSync(join(folder, file), 'utf8')) as T)
    else rmSync(join(folder, file), { force: true }) // a write that a crash cut short
  }
  const fileOf = (name: string) => join(folder, `${name}.json`)
  return {
    get: name => records.get(name),
    all: () => [...records.values()],
    put(name, record) {
      records.set(name, record)
      const text = `${JSON.stringify(record, null, 1)}\n`
      // The folder is gone when `--fresh` removed the state under a server that is just stopping.
      if (!existsSync(folder)) return
      writeFileSync(`${fileOf(name)}.tmp`, text)
      renameSync(`${fileOf(name)}.tmp`, fileOf(name))
    },
    remove(name) {
      records.delete(name)
      rmSync(fileOf(name), { force: true })
    },
  }
}
