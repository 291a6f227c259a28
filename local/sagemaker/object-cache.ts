/**
 * Large S3 objects kept on the disk by their ETag. Every job of a run reads the same base model, and the next
 * one what the last one made: half a gigabyte through the emulator takes seconds, a copy on the disk does not.
 */
import { constants, mkdirSync, readdirSync, renameSync, rmSync, statSync, utimesSync } from 'node:fs'
import { copyFile } from 'node:fs/promises'
import { join } from 'node:path'

/** Smaller objects come as fast from the emulator. */
const MIN_KEPT_BYTES = 16 * 1024 * 1024
/** A base model of 135M parameters in fp32 is 0.5 GB; a run makes three of that size. */
const MAX_CACHE_BYTES = 4 * 1024 ** 3

export type ObjectCache = {
  /** Copies the object to `file` where it is kept. */
  copyTo(etag: string | undefined, sizeBytes: number, file: string): Promise<boolean>
  /** Keeps a copy of `file`; never a link, because a script may write into its channels. */
  keep(etag: string | undefined, file: string): Promise<void>
}

/** Opens the cache in `folder`; what was used longest ago is dropped first. */
export function openObjectCache(folder: string): ObjectCache {
  mkdirSync(folder, { recursive: true })
  for (const name of readdirSync(folder))
    if (name.endsWith('.partial')) rmSync(join(folder, name), { force: true })
  // An ETag is a digest in quotes, with a dash in uploads of several parts.
  const fileOf = (etag: string, sizeBytes: number) =>
    /^"?[0-9a-f]+(-\d+)?"?$/.test(etag) ? join(folder, `${etag.replaceAll('"', '')}.${sizeBytes}`) : undefined

  function makeRoom(): void {
    const kept = readdirSync(folder)
      .map(name => ({ file: join(folder, name), ...facts(join(folder, name)) }))
      .sort((a, b) => b.usedAt - a.usedAt)
    let total = 0
    for (const { file, sizeBytes } of kept) {
      total += sizeBytes
      if (total > MAX_CACHE_BYTES) rmSync(file, { force: true })
    }
  }

  return {
    async copyTo(etag, sizeBytes, file) {
      const kept = etag === undefined ? undefined : fileOf(etag, sizeBytes)
      if (kept === undefined || sizeBytes < MIN_KEPT_BYTES) return false
      try {
        const now = new Date()
        utimesSync(kept, now, now)
        await copyFile(kept, file, constants.COPYFILE_FICLONE)
        return true
      } catch {
        return false // not kept, or dropped this moment
      }
    },
    async keep(etag, file) {
      const { sizeBytes } = facts(file)
      const kept = etag === undefined ? undefined : fileOf(etag, sizeBytes)
      if (kept === undefined || sizeBytes < MIN_KEPT_BYTES || facts(kept).sizeBytes === sizeBytes) return
      const partial = `${kept}.${process.pid}.partial`
      try {
        await copyFile(file, partial, constants.COPYFILE_FICLONE)
        renameSync(partial, kept)
        makeRoom()
      } catch {
        rmSync(partial, { force: true }) // no room on the disk: it is downloaded again
      }
    },
  }
}

function facts(file: string): { sizeBytes: number; usedAt: number } {
  const found = statSync(file, { throwIfNoEntry: false })
  return { sizeBytes: found?.size ?? 0, usedAt: found?.mtimeMs ?? 0 }
}
