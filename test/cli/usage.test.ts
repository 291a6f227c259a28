import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { keccak256Hex } from '../../domain/protocol/ids.ts'
import { aDeployment, aFolder, run } from './run-cli.ts'

const REPOSITORY = join(import.meta.dirname, '../..')
const ID = keccak256Hex('a proposal')
/** A key with one digit too few: what a person pastes by mistake, and would not like to read on a screen. */
const SECRET = '5ecbe7'.repeat(10)

let place: ReturnType<typeof aFolder>
beforeEach(() => {
  place = aFolder()
})
afterEach(() => place.remove())

describe('a command line that is called wrongly', () => {
  it('ends with 2 and shows the help, for an unknown command', async () => {
    const { exit, out, err } = await run(place.folder, ['frobnicate'])
    expect(exit).toBe(2)
    expect(out).toBe('')
    expect(err).toMatch(/^error: unknown command 'frobnicate'/)
    for (const command of ['propose', 'upload', 'verify'])
      expect(err).toMatch(new RegExp(`^ {2}${command} `, 'm'))
  })

  it.each([
    [['runs', 'abc'], /'abc' is invalid for argument 'id'\. Expected an id: 0x and 64 hex digits/],
    [['review', ID, 'maybe', '--reason', 'because'], /Allowed choices are admit, reject/],
    [['vote', ID, 'yes'], /Allowed choices are against, for, abstain/],
    [['chat', 'model', 'hello', '--max-tokens', 'lots'], /Expected a whole number above 0/],
    [['chat', 'model', 'hello', '--temperature', ''], /Expected 0 to 2/],
    [['keys', 'create', '--datanet', ID, '--amount', '1.5'], /Expected a whole number of OPEN above 0/],
    [['keys', 'create', '--datanet', ID, '--amount', '0'], /Expected a whole number of OPEN above 0/],
    [['keys', 'create', '--datanet', ID], /required option '--amount <open>' not specified/],
    [['verify', 'nonsense', 'x'], /unknown command 'nonsense'/],
    [['verify', 'ballots', 'x', '--save', 'y'], /--save goes with an ID/],
    [['genesis', '--key-file', 'x'], /--key-file goes with --write/],
  ])('%p ends with 2 and says what is wrong', async (argv, said) => {
    const { exit, err } = await run(place.folder, argv)
    expect(err).toMatch(said)
    expect(err).toMatch(/Usage: openledger/)
    expect(exit).toBe(2)
  })

  it('is told as JSON, and as nothing else, where JSON was asked for', async () => {
    const { exit, err, json } = await run(place.folder, ['--json', 'frobnicate'])
    expect(exit).toBe(2)
    expect(err).toBe('')
    expect(json()).toEqual({
      error: {
        code: 'usage',
        message: "unknown command 'frobnicate'",
        expected: 'see openledger --help',
      },
    })
  })

  it('shows help and version when asked, and ends with 0', async () => {
    expect(await run(place.folder, ['--version'])).toMatchObject({ exit: 0, out: '0.1.0\n' })
    const help = await run(place.folder, ['verify', '--help'])
    expect(help.exit).toBe(0)
    expect(help.out).toMatch(/A FILE is checked offline/)
  })
})

describe('a profile', () => {
  it('that is not there is named with the file to write and those there are', async () => {
    place.write('.openledger/dev.json', '{ "baseUrl": "https://dev.example" }')
    const { exit, err } = await run(place.folder, ['--profile', 'prod', 'status'])
    expect(exit).toBe(1)
    expect(err).toBe(
      [
        'There is no profile "prod" (not-found)',
        `  expected: ${place.folder}/.openledger/prod.json with at least { "baseUrl": "https://..." }`,
        '  seen:     profiles: dev',
        '',
      ].join('\n'),
    )
  })

  it('that is not there is told as JSON too', async () => {
    const { exit, json } = await run(place.folder, ['--profile', 'prod', 'status', '--json'])
    expect(exit).toBe(1)
    expect(json()).toMatchObject({ error: { code: 'not-found', seen: 'no profile in .openledger/' } })
  })

  it.each([
    ['{ nope', 'is not JSON (malformed)'],
    ['{ "baseUrl": 5 }', 'seen:     FILE: baseUrl'],
    ['{ "baseUrl": "https://dev.example", "baseURL": "x" }', 'Unrecognized key: "baseURL"'],
    ['[]', 'seen:     FILE: the whole'],
  ])('that holds %p says where it is wrong', async (text, said) => {
    const file = place.write('.openledger/dev.json', text)
    const { exit, err } = await run(place.folder, ['--profile', 'dev', 'status'])
    expect(exit).toBe(1)
    expect(err).toContain(said.replace('FILE', file))
    expect(err).toContain(file)
  })

  it('has a name and no path', async () => {
    place.write('secret.json', '{ "baseUrl": "https://dev.example" }')
    const { exit, err } = await run(place.folder, ['--profile', '../secret', 'status'])
    expect(exit).toBe(1)
    expect(err).toMatch(/cannot be the name of a profile.*\n.*\n {2}seen: {5}\.\.\/secret\n$/)
  })
})

describe('a refusal', () => {
  const profileOf = (baseUrl: string) => place.write('.openledger/dev.json', JSON.stringify({ baseUrl }))
  const dev = (...argv: string[]) => ['--profile', 'dev', ...argv]

  it('of the service carries its code, and ends with 1', async () => {
    const deployment = await aDeployment({})
    profileOf(deployment.baseUrl)
    try {
      const told = await run(place.folder, dev('runs', ID))
      expect(told).toMatchObject({ exit: 1, out: '', err: 'Refused: not-found (not-found)\n' })
      const asJson = await run(place.folder, dev('runs', ID, '--json'))
      expect(asJson.exit).toBe(1)
      expect(asJson.json()).toEqual({ error: { code: 'not-found', message: 'Refused: not-found' } })
    } finally {
      await deployment.close()
    }
  })

  it('to connect names the address', async () => {
    const { baseUrl, close } = await aDeployment({})
    await close()
    profileOf(baseUrl)
    const { exit, err } = await run(place.folder, dev('status'))
    expect(exit).toBe(1)
    expect(err).toMatch(
      new RegExp(`^Nothing answers at ${baseUrl} \\(unreachable\\)\n {2}expected: .*\n {2}seen: `),
    )
  })

  it.each([
    [['vote', ID, 'for'], {}, /There is no key to sign with.*\n.*--key-file FILE, or .*OPENLEDGER_KEY/],
    [['vote', ID, 'for', '--key-file', 'gone'], {}, /gone cannot be read.*\n.*\n {2}seen: {5}no such file/],
    [['vote', ID, 'for', '--key-file', 'mistyped'], {}, /mistyped does not hold a private key/],
    [['vote', ID, 'for'], { OPENLEDGER_KEY: SECRET }, /OPENLEDGER_KEY does not hold a private key/],
    [['vote', ID, 'for'], { OPENLEDGER_KEY: '0'.repeat(64) }, /OPENLEDGER_KEY does not hold a private key/],
    [['claim'], {}, /There is no key to sign with/],
    [['keys', 'create', '--datanet', ID, '--amount', '1'], {}, /There is no key to sign with/],
    [['chat', 'model', 'hello'], {}, /There is no API key.*\n.*`keys create` buys one/],
    [['propose', '--title', 'A title', '--action', 'gone'], {}, /gone cannot be read/],
    [['propose', '--title', 'A title', '--action', 'mistyped'], {}, /mistyped is not JSON/],
    [['upload', 'gone', '--datanet', ID, '--license', 'MIT'], {}, /gone cannot be read/],
  ])('of %p for what lies here needs no deployment', async (argv, env, said) => {
    // Nothing listens there: whoever asked it before looking at what lies here would say so instead.
    profileOf('http://127.0.0.1:1')
    place.write('mistyped', `0x${SECRET}\n`)
    const { exit, err, out } = await run(place.folder, dev(...argv), env)
    expect(err).toMatch(said)
    expect(err + out).not.toContain(SECRET)
    expect(exit).toBe(1)
  })
})

it('the installed command passes arguments and exit codes on, and shows no stack', async () => {
  const command = join(REPOSITORY, 'bin/openledger.mjs')
  const failed = await promisify(execFile)(process.execPath, [command, '--profile', 'prod', 'status'], {
    cwd: place.folder,
  }).catch((error: { code: number; stderr: string }) => error)
  expect(failed).toMatchObject({ code: 1 })
  expect(failed.stderr).toMatch(/^There is no profile "prod"/)
  expect(failed.stderr).not.toMatch(/^\s+at /m)
})
