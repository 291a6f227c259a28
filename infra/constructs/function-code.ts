import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { Stack } from 'aws-cdk-lib'
import { Code } from 'aws-cdk-lib/aws-lambda'
import type { Construct } from 'constructs'
import { buildSync } from 'esbuild'
import { access } from '../access.ts'

const REPOSITORY = resolve(import.meta.dirname, '../..')

/** Some CommonJS dependencies still call `require`; source maps make a stack trace name our own lines. */
const BANNER = [
  "import { createRequire as makeRequire } from 'node:module'",
  'const require = makeRequire(import.meta.url)',
  'process.setSourceMapsEnabled(true)',
].join(';')

/**
 * The code of all functions, as one asset of ESM bundles with shared chunks: entries have nearly everything in common,
 * so sixty assets would be sixty copies to build, upload and keep. A function still loads only what its entry imports.
 */
export function functionCode(scope: Construct, entry: string): { code: Code; handler: string } {
  if (!Stack.of(scope).bundlingRequired) {
    return { code: Code.fromInline('export const handler = () => {}'), handler: 'index.handler' }
  }
  if (!existsSync(entryFile(entry))) {
    throw new Error(`functions/${entry}.ts does not exist, but infra makes a function of it`)
  }
  bundles ??= bundleAll()
  return { code: Code.fromAsset(bundles), handler: `${entry}.handler` }
}

const entryFile = (entry: string) => join(REPOSITORY, 'functions', `${entry}.ts`)

let bundles: string | undefined
function bundleAll(): string {
  const folder = mkdtempSync(join(tmpdir(), 'openledger-functions-'))
  process.once('exit', () => rmSync(folder, { recursive: true, force: true }))
  const entries = Object.keys(access).filter(entry => existsSync(entryFile(entry)))
  buildSync({
    entryPoints: Object.fromEntries(entries.map(entry => [entry, entryFile(entry)])),
    outdir: folder,
    outExtension: { '.js': '.mjs' },
    bundle: true,
    splitting: true,
    chunkNames: 'shared/[hash]',
    minify: true,
    keepNames: true,
    sourcemap: true,
    sourcesContent: false,
    platform: 'node',
    target: 'node24',
    format: 'esm',
    mainFields: ['module', 'main'],
    banner: { js: BANNER },
    absWorkingDir: REPOSITORY,
    logLevel: 'warning',
  })
  return folder
}
