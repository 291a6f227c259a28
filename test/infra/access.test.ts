import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { routes } from '../../api/routes.ts'
import { access, SIGNING_PURPOSES, WARRANTED_MACHINES } from '../../infra/access.ts'
import { signersOf } from '../../infra/constructs/signing-key.ts'
import { asList, identityStatements, type Statement, stage, template } from './support.ts'

const REPOSITORY = resolve(import.meta.dirname, '../..')
const entryFile = (entry: string) => join(REPOSITORY, 'functions', `${entry}.ts`)
const withAction = (action: string) => (of: { statement: Statement }) =>
  asList(of.statement.Action).includes(action)

test('every row names an entry that exists', () => {
  expect(Object.keys(access).filter(entry => !existsSync(entryFile(entry)))).toEqual([])
})

test('every route has a row', () => {
  const handlers = Object.values(routes).map(route => route.handler)
  expect(handlers.filter(handler => access[handler] === undefined)).toEqual([])
})

test('every row is used: by a route, a machine, or a trigger of its own', () => {
  const machines = readdirSync(join(REPOSITORY, 'state-machines'))
    .filter(file => file.endsWith('.asl.json'))
    .map(file => readFileSync(join(REPOSITORY, 'state-machines', file), 'utf8'))
    .join('\n')
  const triggers = ['infra/constructs', 'infra/stacks']
    .flatMap(folder => readdirSync(join(REPOSITORY, folder)).map(file => join(REPOSITORY, folder, file)))
    .map(path => readFileSync(path, 'utf8'))
    .join('\n')
  const handlers = new Set<string>(Object.values(routes).map(route => route.handler))
  const arnOf = (entry: string) =>
    `\${${entry.slice(entry.indexOf('/') + 1).replace(/(^|-)(.)/g, (_, __, c) => c.toUpperCase())}Arn}`
  const unused = Object.keys(access).filter(
    entry => !handlers.has(entry) && !machines.includes(arnOf(entry)) && !triggers.includes(`'${entry}'`),
  )
  expect(unused).toEqual([])
})

test('warrants, log heads and payouts have one signer each', () => {
  expect(signersOf('warrant')).toEqual(['executor'])
  expect(signersOf('log-head')).toEqual(['data/publish-log'])
  expect(signersOf('payout').length).toBeLessThanOrEqual(1)
})

test('only the executor may start a warranted machine', () => {
  const starters = ['pipelines', 'api'].flatMap(name =>
    identityStatements(template(stage('dev'), name))
      .filter(withAction('states:StartExecution'))
      .filter(({ statement }) =>
        WARRANTED_MACHINES.some(machine =>
          JSON.stringify(statement.Resource).includes(`:stateMachine:dev-${machine}`),
        ),
      )
      .flatMap(({ roles }) => roles),
  )
  expect(starters.length).toBeGreaterThan(0)
  expect(new Set(starters.map(role => role.replace(/[0-9A-F]{8}$/, '')))).toEqual(new Set(['ExecutorRole']))
})

test('nobody but the executor and the schedules may start anything by a pattern', () => {
  for (const name of ['foundation', 'pipelines', 'api']) {
    const patterns = identityStatements(template(stage('dev'), name))
      .filter(withAction('states:StartExecution'))
      .filter(({ statement }) => JSON.stringify(statement.Resource).includes('*'))
    expect(patterns).toEqual([])
  }
})

test('a key is used only by roles that its policy names', () => {
  const signing = ['pipelines', 'api'].flatMap(name =>
    identityStatements(template(stage('dev'), name)).filter(withAction('kms:Sign')),
  )
  const expected = SIGNING_PURPOSES.flatMap(purpose => signersOf(purpose))
  expect(signing.flatMap(({ roles }) => roles).length).toBeGreaterThanOrEqual(new Set(expected).size)
  for (const { statement } of signing) expect(JSON.stringify(statement.Resource)).not.toContain('"*"')
})

test('RPC addresses, which often carry a key, are seen only by functions that ask the chain', () => {
  for (const name of ['pipelines', 'api']) {
    for (const [, { Properties }] of Object.entries(
      template(stage('dev'), name).findResources('AWS::Lambda::Function'),
    )) {
      const { Description, Environment } = Properties as {
        Description?: string
        Environment?: { Variables: Record<string, unknown> }
      }
      const entry = Description?.match(/^functions\/(.*)\.ts$/)?.[1]
      if (entry === undefined) continue
      const seesAddresses = JSON.stringify(Environment).includes('rpc.example.org')
      expect([entry, seesAddresses]).toEqual([entry, access[entry]?.chain === true])
    }
  }
})

/** Within GENESIS, and only for functions that ask the chain. */
const RPC_URLS = 'GENESIS.rpcUrls'

/** Property of `deps` -> variables that it reads, through the properties and helpers of functions/deps.ts that it uses. */
function variablesOfDeps(): Map<string, Set<string>> {
  const text = readFileSync(join(REPOSITORY, 'functions/deps.ts'), 'utf8')
  const start = text.indexOf('export const deps = {')
  const blocks = new Map<string, string>()
  for (const block of text
    .slice(start)
    .split(/\n(?= {2}[a-zA-Z]+[:(])/)
    .slice(1)) {
    blocks.set(block.trim().match(/^[a-zA-Z]+/)?.[0] ?? '', block)
  }
  for (const helper of text.slice(0, start).split(/\n(?=const |async function |function )/)) {
    const name = helper.match(/^(?:const|async function|function) ([a-zA-Z]+)/)?.[1]
    if (name !== undefined && name !== 'variable') blocks.set(`helper:${name}`, helper)
  }
  const variables = (key: string, seen = new Set<string>()): Set<string> => {
    // What is handed on as a function is asked for by whoever calls it.
    const block = (blocks.get(key) ?? '').replaceAll(/: \(\) => deps\.[a-zA-Z]+\(\)/g, '')
    if (seen.has(key)) return new Set()
    seen.add(key)
    const used = [
      ...[...block.matchAll(/deps\.([a-zA-Z]+)/g)].map(match => match[1] ?? ''),
      ...[...block.matchAll(/\b([a-zA-Z]+)\(\)/g)].map(match => `helper:${match[1]}`),
    ].filter(name => blocks.has(name))
    return new Set([
      ...[...block.matchAll(/variable\('([A-Z_]+)'\)/g)].map(match => match[1] ?? ''),
      ...(/\brpcUrls\b/.test(block.replaceAll(/^.*(type |readonly rpcUrls).*$/gm, '')) ? [RPC_URLS] : []),
      ...used.flatMap(name => [...variables(name, seen)]),
    ])
  }
  return new Map([...blocks.keys()].map(key => [key, variables(key)]))
}

/** What an entry and the helpers beside it say of `deps`. */
function depsUsedBy(file: string, seen = new Set<string>()): Set<string> {
  if (seen.has(file) || file.endsWith('/deps.ts') || !existsSync(file)) return new Set()
  seen.add(file)
  const text = readFileSync(file, 'utf8')
  const beside = [...text.matchAll(/from '(\.\.?\/[^']+\.ts)'/g)].map(match =>
    resolve(file, '..', match[1] ?? ''),
  )
  return new Set([
    ...[...text.matchAll(/\bdeps\.([a-zA-Z]+)/g)].map(match => match[1] ?? ''),
    ...beside
      .filter(path => path.startsWith(join(REPOSITORY, 'functions')))
      .flatMap(path => [...depsUsedBy(path, seen)]),
  ])
}

test('a function has every variable that what it uses reads', () => {
  const variables = variablesOfDeps()
  expect(variables.get('proposals')).toEqual(new Set(['GOVERNANCE_TABLE']))
  const missing = ['pipelines', 'api'].flatMap(name =>
    Object.values(template(stage('dev'), name).findResources('AWS::Lambda::Function')).flatMap(
      ({ Properties }) => {
        const { Description, Environment } = Properties as {
          Description?: string
          Environment?: { Variables: object }
        }
        const entry = Description?.match(/^functions\/(.*)\.ts$/)?.[1]
        if (entry === undefined) return []
        const has = new Set(Object.keys(Environment?.Variables ?? {}))
        if (access[entry]?.chain) has.add(RPC_URLS)
        const needs = [...depsUsedBy(entryFile(entry))].flatMap(used => [...(variables.get(used) ?? [])])
        // Of the machines that `deps.machines` knows a function may start only some: each getter fails by its own name.
        const lacks = [...new Set(needs)].filter(
          variable => !has.has(variable) && !variable.endsWith('_MACHINE_ARN'),
        )
        return lacks.map(variable => `${entry}: ${variable}`)
      },
    ),
  )
  expect(missing).toEqual([])
})
