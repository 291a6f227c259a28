import { OpenLedgerError } from '../errors.ts'
import { compareBytes } from '../protocol/hex.ts'
import { appendLeaf, EMPTY_FRONTIER, type Frontier, frontierRoot, leafHash } from '../protocol/merkle-log.ts'
import { checkpointBody, formatNote, signNote } from '../protocol/signed-note.ts'
import {
  bundlesToWrite,
  decodeTile,
  encodeBundle,
  encodeTile,
  entriesPath,
  TILE_WIDTH,
  type Tile,
  tilePath,
  tileRoot,
  tilesToWrite,
} from '../protocol/tiles.ts'
import type { LogBook, MessageSigner, ObjectStore, PublishedHead } from './ports.ts'

/** Everything below the log's prefix is as C2SP tlog-tiles names it. */
export const logKey = (path: string) => `log/${path}`
const CHECKPOINT_KEY = logKey('checkpoint')
const OCTETS = 'application/octet-stream'
const TEXT = 'text/plain; charset=utf-8'

export type PublishLogDeps = {
  readonly log: LogBook
  readonly files: ObjectStore
  readonly signer: MessageSigner
  /** Name of the log and of its key. */
  readonly origin: string
}

/**
 * Publishes what was appended: tiles and entry bundles first, the signed head last. Signs nothing when nothing
 * changed, and only a head whose root follows from the last published one and the entries after it. Publishers
 * may meet: the published head is swapped by its size, and who is overtaken puts the newer one.
 * @throws OpenLedgerError internal when the log's head does not extend the published one
 */
export async function publishLog(deps: PublishLogDeps): Promise<{ size: number; signed: boolean }> {
  const before = await deps.log.published()
  const head = await deps.log.head()
  const publishedSize = before?.frontier.size ?? 0
  if (head.size === publishedSize) {
    if (before !== null) await putNewest(deps, before)
    return { size: head.size, signed: false }
  }
  await requireExtends(deps.log, before, head)
  await writeTiles(deps, publishedSize, head.size)
  const after = { frontier: head, note: await signHead(deps, head) }
  if (!(await deps.log.recordPublished(before, after))) return publishLog(deps)
  await putNewest(deps, after)
  return { size: head.size, signed: true }
}

async function requireExtends(log: LogBook, before: PublishedHead | null, head: Frontier) {
  const from = before?.frontier ?? EMPTY_FRONTIER
  const entries = head.size < from.size ? [] : await log.entries(from.size, head.size)
  const followed = entries.reduce((frontier, entry) => appendLeaf(frontier, leafHash(entry)), from)
  if (followed.size !== head.size || compareBytes(frontierRoot(followed), frontierRoot(head)) !== 0) {
    throw new OpenLedgerError(
      'internal',
      'The head of the log does not extend the published one; nothing was signed',
      {
        expected: `an extension of size ${from.size}`,
        seen: `size ${head.size}`,
      },
    )
  }
}

async function signHead(deps: PublishLogDeps, head: Frontier): Promise<string> {
  const key = { name: deps.origin, publicKey: await deps.signer.publicKey() }
  const body = checkpointBody(deps.origin, head.size, frontierRoot(head))
  return formatNote(await signNote(body, key, message => deps.signer.sign(message)))
}

/** Puts the newest published head, also when a faster publisher's put came before this one's. */
async function putNewest(deps: PublishLogDeps, published: PublishedHead) {
  const there = await deps.files.get(CHECKPOINT_KEY)
  if (there !== null && Buffer.from(there).toString('utf8') === published.note) return
  await deps.files.put(CHECKPOINT_KEY, Buffer.from(published.note, 'utf8'), TEXT)
  const newest = await deps.log.published()
  if (newest !== null && newest.frontier.size > published.frontier.size) await putNewest(deps, newest)
}

async function writeTiles(deps: PublishLogDeps, oldSize: number, newSize: number) {
  for (const { index, width } of bundlesToWrite(oldSize, newSize)) {
    const entries = await deps.log.entries(index * TILE_WIDTH, index * TILE_WIDTH + width)
    await deps.files.put(logKey(entriesPath(index, width)), encodeBundle(entries), OCTETS)
    await putTile(deps, { level: 0, index, width }, entries.map(leafHash))
  }
  // From the lowest level up: a tile above is made of full tiles below.
  for (const tile of tilesToWrite(oldSize, newSize)) {
    if (tile.level === 0) continue
    const kept = await keptHashes(deps, tile, oldSize)
    const hashes = [...kept]
    for (let at = kept.length; at < tile.width; at++) {
      const below = { level: tile.level - 1, index: tile.index * TILE_WIDTH + at, width: TILE_WIDTH }
      hashes.push(tileRoot(await readTile(deps, below)))
    }
    await putTile(deps, tile, hashes)
  }
}

/** What an earlier partial tile already holds, so that not every tile below is read again. */
async function keptHashes(deps: PublishLogDeps, tile: Tile, oldSize: number) {
  const width = Math.min(TILE_WIDTH, Math.floor(oldSize / TILE_WIDTH ** tile.level) - tile.index * TILE_WIDTH)
  return width > 0 ? readTile(deps, { ...tile, width }) : []
}

async function readTile(deps: Pick<PublishLogDeps, 'files'>, tile: Tile) {
  const bytes = await deps.files.get(logKey(tilePath(tile)))
  if (bytes === null)
    throw new OpenLedgerError('internal', 'A published tile is missing', { seen: tilePath(tile) })
  return decodeTile(bytes)
}

async function putTile(deps: PublishLogDeps, tile: Tile, hashes: readonly Uint8Array[]) {
  await deps.files.put(logKey(tilePath(tile)), encodeTile(hashes), OCTETS)
}
