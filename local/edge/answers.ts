import type { ServerResponse } from 'node:http'

/** On every answer of the edge: nothing here is framed, sniffed or remembered by a browser. */
export const SECURITY_HEADERS: Readonly<Record<string, string>> = {
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
  'referrer-policy': 'no-referrer',
  'cross-origin-opener-policy': 'same-origin',
  'permissions-policy': 'camera=(), geolocation=(), microphone=()',
}

/** The interface is public and carries no cookies, so every origin may call it. */
export const CORS_HEADERS: Readonly<Record<string, string>> = {
  'access-control-allow-origin': '*',
  'access-control-expose-headers': '*',
}

/** The edge's own refusals, as the service writes its own (RFC 9457). */
export function problem(
  response: ServerResponse,
  status: number,
  facts: { code: string; title: string; detail: string; expected?: string; seen?: string },
  headers: Record<string, string> = {},
): void {
  if (response.headersSent || response.destroyed) {
    response.destroy()
    return
  }
  const { code, title, detail, ...more } = facts
  const body = JSON.stringify({ type: `urn:openledger:error:${code}`, title, status, code, detail, ...more })
  response.writeHead(status, {
    ...SECURITY_HEADERS,
    ...CORS_HEADERS,
    'content-security-policy': "default-src 'none'",
    'content-type': 'application/problem+json',
    'cache-control': 'no-store',
    ...headers,
  })
  response.end(body)
}
