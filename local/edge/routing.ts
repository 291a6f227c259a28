import { type Route, routes } from '../../api/routes.ts'

/** Which route a path belongs to, by the same table that the gateway is made of. */
export type Match = { readonly route: Route; readonly params: Readonly<Record<string, string>> }

type Pattern = { readonly route: Route; readonly expression: RegExp; readonly rank: string }

/** API Gateway prefers fixed segments over `{name}`, and that over `{name+}`, from left to right. */
const patterns: readonly Pattern[] = (Object.values(routes) as Route[])
  .map(route => ({ route, expression: expressionOf(route.path), rank: rankOf(route.path) }))
  .sort((a, b) => (a.rank < b.rank ? -1 : 1))

/** The routes of a path, one a method; empty when no route has it. */
export function routesOf(path: string): Match[] {
  const hits = patterns.flatMap(({ route, expression }) => {
    const groups = expression.exec(path)?.groups
    return groups === undefined ? [] : [{ route, params: { ...groups } }]
  })
  const best = hits[0]?.route.path
  return hits.filter(({ route }) => route.path === best)
}

function expressionOf(path: string): RegExp {
  const source = path
    .split('/')
    .map(segment => {
      const [, name, rest] = /^\{(\w+)(\+?)\}$/.exec(segment) ?? []
      if (name === undefined) return segment.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')
      return rest === '+' ? `(?<${name}>.+)` : `(?<${name}>[^/]+)`
    })
    .join('/')
  // The empty group makes `groups` exist for paths without parameters.
  return new RegExp(`^${source}(?<_>)$`)
}

function rankOf(path: string): string {
  return path
    .split('/')
    .map(segment => (segment.endsWith('+}') ? '2' : segment.endsWith('}') ? '1' : '0'))
    .join('')
}
