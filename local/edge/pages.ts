import { createReadStream } from 'node:fs'
import { realpath, stat } from 'node:fs/promises'
import type { ServerResponse } from 'node:http'
import { extname, join, resolve, sep } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { SECURITY_HEADERS } from './answers.ts'

const CONTENT_TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.mjs': 'text/javascript; charset=utf-8',
  '.json': 'application/json',
  '.svg': 'image/svg+xml',
  '.png': 'image/png',
  '.ico': 'image/x-icon',
  '.txt': 'text/plain; charset=utf-8',
  '.woff2': 'font/woff2',
}

/**
 * No inline script, no foreign script, no form, no frame. `connect` are the origins that the pages read from
 * beside their own: redirects to public files lead there.
 */
export function contentSecurityPolicy(connect: readonly string[]): string {
  return [
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "img-src 'self' data:",
    "font-src 'self'",
    `connect-src ${["'self'", ...connect].join(' ')}`,
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ].join('; ')
}

/** Serves one file of the folder; false when it has none for the path. `path` is as in the URL, encoded. */
export async function servePage(
  response: ServerResponse,
  folder: string,
  path: string,
  policy: string,
): Promise<boolean> {
  const file = await fileOf(folder, path)
  if (file === null) return false
  response.writeHead(200, {
    ...SECURITY_HEADERS,
    'content-security-policy': policy,
    'cross-origin-resource-policy': 'same-origin',
    'content-type': CONTENT_TYPES[extname(file.path)] ?? 'application/octet-stream',
    'content-length': file.sizeBytes,
    'cache-control': 'no-cache',
  })
  if (response.req.method === 'HEAD') response.end()
  else await pipeline(createReadStream(file.path), response).catch(() => response.destroy())
  return true
}

/** A plain file below the folder, also after links are followed; hidden files are not pages. */
async function fileOf(folder: string, path: string): Promise<{ path: string; sizeBytes: number } | null> {
  try {
    const segments = decodeURIComponent(path)
      .split('/')
      .filter(segment => segment !== '')
    if (segments.some(segment => segment.startsWith('.') || /[\\\0]/.test(segment))) return null
    const root = await realpath(resolve(folder))
    let found = await realpath(join(root, ...segments))
    if ((await stat(found)).isDirectory()) found = await realpath(join(found, 'index.html'))
    const facts = await stat(found)
    return found.startsWith(root + sep) && facts.isFile() ? { path: found, sizeBytes: facts.size } : null
  } catch {
    return null // not there, or not a path at all
  }
}
