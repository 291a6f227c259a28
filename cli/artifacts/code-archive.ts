import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { buffer } from 'node:stream/consumers'
import { gzipSync } from 'node:zlib'
import { create } from 'tar'
import { sha256Hex } from '../../domain/protocol/ids.ts'

/** RFC 1952: "unknown" in place of the operating system, which zlib would tell. */
const OS_BYTE = 9
const OS_UNKNOWN = 255

/**
 * The training code as script mode takes it: a gzip tar with the programs at its root. Names are sorted and
 * times, owners and the system are left out, so that equal code has one digest wherever it is packed.
 */
export async function codeArchive(folder: string): Promise<{ bytes: Uint8Array; sha256: string }> {
  const programs = readdirSync(folder)
    .filter(file => file.endsWith('.py'))
    .sort()
  const tar = await buffer(
    create({ cwd: join(folder), portable: true, mtime: new Date(0), follow: true }, programs) as never,
  )
  const bytes = gzipSync(tar, { level: 9 })
  bytes[OS_BYTE] = OS_UNKNOWN
  return { bytes, sha256: sha256Hex(bytes) }
}
