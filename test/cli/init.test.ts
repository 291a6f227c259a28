import { readFileSync } from 'node:fs'
import { aFolder, run } from './run-cli.ts'

const accountOf = (digit: string) => `0x${digit.repeat(40)}`
const STAGE = { local: false, rehearsal: true, genesis: null, modelProfiles: ['gpu-1b'] }
const FACTS = {
  '--stage': ['dev'],
  '--chain-id': ['8453'],
  '--g-open': [accountOf('a')],
  '--open-token': [accountOf('b')],
  '--reward-claims': [accountOf('c')],
  '--rpc': ['https://one.example', 'https://two.example'],
  '--governor': [accountOf('1'), accountOf('2'), accountOf('3')],
  '--threshold': ['2'],
}
/** The command with some options changed; an empty list leaves one out. */
const init = (change: Partial<Record<keyof typeof FACTS | '--rules', string[]>> = {}) => [
  'init',
  ...Object.entries({ ...FACTS, ...change }).flatMap(([name, values]) =>
    values.length === 0 ? [] : [name, ...values],
  ),
]

let place: ReturnType<typeof aFolder>
const stageFile = () => readFileSync(`${place.folder}/config/dev.json`, 'utf8')
beforeEach(() => {
  place = aFolder({ 'config/dev.json': JSON.stringify(STAGE) })
})
afterEach(() => place.remove())

describe('init', () => {
  it('writes the facts into the stage, leaves its settings alone, and says what comes next', async () => {
    const { exit, out } = await run(place.folder, init())
    expect(exit).toBe(0)
    expect(out).toMatch(/next: npx cdk deploy --all -c stage=dev, then openledger genesis --write/)
    expect(JSON.parse(stageFile())).toEqual({
      ...STAGE,
      genesis: {
        deploymentId: expect.stringMatching(/^0x[0-9a-f]{64}$/),
        chainId: 8453,
        gOpen: accountOf('a'),
        openToken: accountOf('b'),
        rewardClaims: accountOf('c'),
        rpcUrls: ['https://one.example', 'https://two.example'],
        governors: { addresses: [accountOf('1'), accountOf('2'), accountOf('3')], threshold: 2 },
        rules: 'openledger-contracts',
      },
    })
  })

  it('makes another deployment id every time', async () => {
    const idOf = async () => {
      place.write('config/dev.json', JSON.stringify(STAGE))
      const ran = await run(place.folder, ['--json', ...init()])
      return (ran.json().genesis as { deploymentId: string }).deploymentId
    }
    expect(await idOf()).not.toBe(await idOf())
  })

  it('refuses to replace facts that signatures are bound to', async () => {
    await run(place.folder, init())
    const before = stageFile()
    const { exit, err } = await run(place.folder, init({ '--chain-id': ['1'] }))
    expect(exit).toBe(1)
    expect(err).toMatch(/^This stage has its genesis facts already \(conflict\)/)
    expect(stageFile()).toBe(before)
  })

  it.each([
    [{ '--g-open': ['0x12'] }, /'--g-open <address>' argument '0x12' is invalid\. Expected an address/],
    [{ '--governor': [accountOf('1'), 'bob'] }, /'--governor <address...>' argument 'bob' is invalid/],
    // One letter of this checksum is turned round.
    [
      { '--reward-claims': ['0x5aAeb6053F3E94C9b9A09f33669435E7Ef1Beaed'.replace('F3E', 'f3E')] },
      /Expected an address whose EIP-55 checksum holds/,
    ],
    [{ '--governor': [accountOf('1'), accountOf('1')] }, /--governor names somebody twice/],
    [{ '--threshold': ['4'] }, /--threshold 4 is more than the 3 governors/],
    [{ '--threshold': ['0'] }, /Expected a whole number above 0/],
    [{ '--rpc': ['rpc.example'] }, /Expected an address like https/],
    [{ '--chain-id': ['main'] }, /Expected a whole number above 0/],
    [{ '--rules': ['none'] }, /Allowed choices are openledger-contracts/],
    [{ '--threshold': [] }, /required option '--threshold <m>' not specified/],
  ])('refuses %p', async (change, said) => {
    const before = stageFile()
    const { exit, err } = await run(place.folder, init(change))
    expect(err).toMatch(said)
    expect(exit).toBe(2)
    expect(stageFile()).toBe(before)
  })

  it('names the stages there are when it is told another', async () => {
    for (const stage of ['prod', '../dev']) {
      const { exit, err } = await run(place.folder, init({ '--stage': [stage] }))
      expect(exit).toBe(1)
      expect(err).toContain(`There is no stage "${stage}" (not-found)`)
      expect(err).toContain('stages: dev')
    }
  })
})
