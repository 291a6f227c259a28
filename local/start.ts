import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { HDNodeWallet } from 'ethers'
import { newApiKey } from '../cli/actions/deposit.ts'
import { loadProfile } from '../cli/profile.ts'
import { newPhrase, peopleOf } from '../examples/iam-assistant/people.ts'
import { ALIAS } from '../examples/iam-assistant/play/stage.ts'
import { rehearse } from '../examples/iam-assistant/rehearse.ts'
import { DEV_MNEMONIC } from './chain/chain.ts'
import { type Stack, startStack } from './stack.ts'

/**
 * `npm start`: the whole product on this machine. Starts the stack, says where everything is, plays the life of
 * a model once, and stays up until Ctrl-C. The next start resumes where it was.
 */

const REPOSITORY = resolve(import.meta.dirname, '..')
const HELP = `npm start -- [options]
  --once        play, stop everything, and end with 0 only if every step held
  --fresh       forget the state of last time
  --home DIR    where the state lies (default .local)
  --model DIR   base model folder (default .local/base-models/smollm2-135m)
  --recipe FILE training recipe (default training/recipes/cpu-135m.json)
  --tiny        few records and no bar for the gates: for tests, with a tiny model`

const { values } = parseArgs({
  options: {
    once: { type: 'boolean', default: false },
    fresh: { type: 'boolean', default: false },
    tiny: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
    home: { type: 'string', default: join(REPOSITORY, '.local') },
    model: { type: 'string' },
    recipe: { type: 'string' },
  },
})
if (values.help) {
  console.log(HELP)
  process.exit(0)
}

const stopping = new AbortController()
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => stopping.abort())
process.exitCode = await main().catch(error => {
  if (stopping.signal.aborted) console.log('Stopped before it was up')
  else console.error(error instanceof Error ? error.message : String(error))
  return 1
})
// Sockets of SDK clients may linger; everything that was started is stopped by now.
process.exit()

async function main(): Promise<number> {
  const home = resolve(values.home)
  if (values.fresh) rmSync(join(home, 'state'), { recursive: true, force: true })
  const peoplePhrase = keptSecret(join(home, 'state/people/phrase'), newPhrase)
  const apiKey = keptSecret(join(home, 'state/people/api-key'), newApiKey)
  const { governors } = peopleOf(peoplePhrase)
  const startedAt = Date.now()
  const stack = await startStack({
    home,
    governors: { addresses: governors.map(({ address }) => address.toLowerCase()), threshold: 2 },
    signal: stopping.signal,
    onProgress: step => console.log(`${seconds(startedAt)} s  ${step}`),
  })
  try {
    const profileFile = join(home, 'state/profile.json')
    writeFileSync(profileFile, `${JSON.stringify(profileOf(stack, { peoplePhrase, apiKey }), null, 2)}\n`, {
      mode: 0o600,
    })
    console.log(welcome(stack, apiKey, { upAfter: seconds(startedAt), played: played(home) }))
    const reportFile = join(home, 'lifecycle.json')
    let ok = true
    if (values.once || !played(home)) {
      const report = await Promise.race([
        rehearse(loadProfile('local', profileFile), {
          reportFile,
          tiny: values.tiny,
          signal: stopping.signal,
        }),
        aborted(),
      ])
      ok = report?.ok === true
      if (ok) writeFileSync(join(home, 'state/played'), new Date().toISOString())
      if (report !== null)
        console.log(`${ok ? 'Every step held' : 'Not every step held'}; the report is ${reportFile}`)
    }
    if (values.once) return ok ? 0 : 1
    if (!stopping.signal.aborted) {
      console.log('Up until Ctrl-C.')
      await aborted()
    }
    return 0
  } finally {
    console.log('Stopping')
    await stack.stop()
  }
}

/** A secret of the scripted people, made at the first start and found by every later one. */
function keptSecret(file: string, make: () => string): string {
  if (!existsSync(file)) {
    mkdirSync(dirname(file), { recursive: true })
    writeFileSync(file, make(), { mode: 0o600 })
  }
  return readFileSync(file, 'utf8')
}

function played(home: string): boolean {
  return existsSync(join(home, 'state/played'))
}

function seconds(since: number): number {
  return Math.round((Date.now() - since) / 1_000)
}

function aborted(): Promise<null> {
  return new Promise(done => {
    if (stopping.signal.aborted) done(null)
    stopping.signal.addEventListener('abort', () => done(null), { once: true })
  })
}

function profileOf(stack: Stack, secrets: { peoplePhrase: string; apiKey: string }) {
  return {
    baseUrl: stack.url,
    rpcUrl: stack.rpcUrl,
    aws: {
      region: 'us-east-1',
      endpoint: stack.emulatorUrl,
      accessKeyId: 'local',
      secretAccessKey: 'local',
      artifactsBucket: stack.deployment.outputs.ArtifactsBucketName,
      stage: 'local',
    },
    ...(values.model === undefined ? {} : { modelFolder: resolve(values.model) }),
    ...(values.recipe === undefined ? {} : { recipeFile: resolve(values.recipe) }),
    // The development account of the local chain, known to everybody: worth nothing anywhere else.
    funderKey: HDNodeWallet.fromPhrase(DEV_MNEMONIC).privateKey,
    ...secrets,
  }
}

function welcome(stack: Stack, apiKey: string, now: { upAfter: number; played: boolean }): string {
  const body = JSON.stringify({
    model: ALIAS,
    messages: [{ role: 'user', content: 's3: list the objects in a bucket' }],
  })
  return `
OpenLedger is up after ${now.upAfter} s.
  Interface   ${stack.url}/v1   (OpenAPI: ${stack.url}/openapi.json)
  Page        ${stack.url}/     The life of this model, as it happens
  API key     ${apiKey}${now.played ? '' : '   (a holder pays for it in the last step)'}
  Try         curl -s ${stack.url}/v1/proposals
              curl -s ${stack.url}/v1/models
  ${now.played ? 'Ask it     ' : 'After that '} curl -sN ${stack.url}/v1/chat/completions \\
                -H 'authorization: Bearer ${apiKey}' -H 'content-type: application/json' \\
                -d '${body}'
`
}
