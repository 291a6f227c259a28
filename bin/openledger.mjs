#!/usr/bin/env node
// Runs the command line on the Node 24 of this package's own dependencies, under any installed Node.
import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const here = dirname(fileURLToPath(import.meta.url))
const node = join(here, '../node_modules/.bin/node')
if (!existsSync(node)) {
  console.error('OpenLedger is not installed yet: run npm install in its folder first.')
  process.exit(1)
}
const child = spawn(node, [join(here, 'openledger.ts'), ...process.argv.slice(2)], { stdio: 'inherit' })
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => child.kill(signal))
child.on('exit', (code, signal) => process.exit(code ?? (signal === null ? 1 : 128)))
