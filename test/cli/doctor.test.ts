import { setTimeout as sleep } from 'node:timers/promises'
import { deploymentLooks } from '../../cli/doctor/deployment.ts'
import { findings, type Look, Skipped } from '../../cli/doctor/finding.ts'
import { aPublishedLife } from './a-deployment.ts'
import { aDeployment, aFolder, run } from './run-cli.ts'

type Finding = { name: string; state: string; found: string; fix?: string }

let place: ReturnType<typeof aFolder>
beforeEach(() => {
  place = aFolder()
})
afterEach(() => place.remove())

/** The findings of a run, by name. */
async function doctor(...argv: string[]) {
  const { exit, json } = await run(place.folder, ['--json', '--profile', 'dev', 'doctor', ...argv])
  const { ok, findings: found } = json() as unknown as { ok: boolean; findings: Finding[] }
  return { exit, ok, of: (name: string) => found.find(one => one.name === name), found }
}

describe('doctor', () => {
  it('finds an answering interface, its log, and skips what the profile does not name', async () => {
    const { answers } = await aPublishedLife()
    const head = { origin: 'openledger/1', size: 7, root: '', checkpoint: '' }
    const { baseUrl, close } = await aDeployment({ ...answers, getLogCheckpoint: () => head })
    place.write('.openledger/dev.json', JSON.stringify({ baseUrl }))
    try {
      const { of, found, exit, ok } = await doctor()
      expect(of('interface')).toMatchObject({ state: 'ok', found: expect.stringContaining(baseUrl) })
      expect(of('log')).toEqual({ name: 'log', state: 'ok', found: 'openledger/1, 7 leaves' })
      for (const name of ['chain', 'final blocks', 'payout key'])
        expect(of(name)).toMatchObject({ state: 'skipped', found: expect.stringContaining('"rpcUrl"') })
      // What is wrong with this machine itself may be, and is then the only thing.
      const wrong = found.filter(({ state }) => state === 'wrong')
      expect(wrong.filter(({ name }) => !['Node', 'Python', 'disk', 'ports'].includes(name))).toEqual([])
      expect({ exit, ok }).toEqual({ exit: wrong.length === 0 ? 0 : 1, ok: wrong.length === 0 })
    } finally {
      await close()
    }
  })

  it('says how to write leaf 0 when the log is empty', async () => {
    const { answers } = await aPublishedLife()
    const head = { origin: 'openledger/1', size: 0, root: '', checkpoint: '' }
    const { baseUrl, close } = await aDeployment({ ...answers, getLogCheckpoint: () => head })
    place.write('.openledger/dev.json', JSON.stringify({ baseUrl }))
    try {
      const { of, exit, ok } = await doctor()
      expect(of('log')).toEqual({
        name: 'log',
        state: 'wrong',
        found: 'the log is empty',
        fix: 'write leaf 0: openledger genesis --write',
      })
      expect({ exit, ok }).toEqual({ exit: 1, ok: false })
    } finally {
      await close()
    }
  })

  it('says what to write when there is no profile, and looks at the machine all the same', async () => {
    const { exit, out } = await run(place.folder, ['--profile', 'dev', 'doctor'])
    expect(exit).toBe(1)
    expect(out).toMatch(
      /^WRONG {4}profile: .*\.openledger\/dev\.json does not exist\n {9}fix: write \{ "baseUrl"/,
    )
    expect(out).toMatch(/^ok {7}Node: 24\./m)
    expect(out).toMatch(/\d+ of \d+ need a fix\.\n$/)
  })

  it('says that the interface does not answer once, and not again for all that rests on it', async () => {
    const { baseUrl, close } = await aDeployment({})
    await close()
    place.write('.openledger/dev.json', JSON.stringify({ baseUrl, rpcUrl: baseUrl }))
    const { of, exit } = await doctor()
    expect(of('interface')).toMatchObject({
      state: 'wrong',
      found: `Nothing answers at ${baseUrl}`,
      fix: 'start the deployment, or correct "baseUrl" of the profile dev',
    })
    for (const name of ['log', 'chain', 'final blocks', 'payout key'])
      expect(of(name)).toEqual({
        name,
        state: 'skipped',
        found: 'cannot be seen while the interface does not answer',
      })
    expect(exit).toBe(1)
  })

  it('knows the stages of config/ only', async () => {
    const { exit, err } = await run(place.folder, ['--profile', 'dev', 'doctor', '--stage', 'nope'])
    expect(exit).toBe(1)
    expect(err).toMatch(/^There is no stage "nope" \(not-found\)/)
  })
})

describe('a look', () => {
  const look = (name: string, body: () => Promise<string>): Look => ({
    name,
    fix: `mend ${name}`,
    look: body,
  })

  it('is ok, wrong with its fix, or skipped with the reason; one says nothing about another', async () => {
    const found = await findings([
      look('good', async () => 'here'),
      look('bad', async () => {
        throw new Error('broken')
      }),
      look('mute', async () => {
        throw new Error('')
      }),
      look('absent', async () => {
        throw new Skipped('nothing to look at')
      }),
    ])
    expect(found).toEqual([
      { name: 'good', state: 'ok', found: 'here' },
      { name: 'bad', state: 'wrong', found: 'broken', fix: 'mend bad' },
      { name: 'mute', state: 'wrong', found: 'no answer', fix: 'mend mute' },
      { name: 'absent', state: 'skipped', found: 'nothing to look at' },
    ])
  })

  it('that hangs is cut off, with the others told', async () => {
    const hanging = look('hanging', () => new Promise(() => undefined))
    const found = await findings([hanging, look('good', async () => 'here')], 50)
    expect(found).toEqual([
      { name: 'hanging', state: 'wrong', found: 'no answer within 0.05 s', fix: 'mend hanging' },
      { name: 'good', state: 'ok', found: 'here' },
    ])
  })

  it('at a service that takes connections and says nothing ends, and leaves no connection open', async () => {
    const hanging = await aDeployment(null)
    try {
      const profile = { baseUrl: hanging.baseUrl, rpcUrl: hanging.baseUrl, modelProfile: '', name: 'dev' }
      const found = await findings(deploymentLooks(profile, 300), 300)
      expect(found.map(({ name, state }) => [name, state])).toEqual([
        ['interface', 'wrong'],
        ['log', 'skipped'],
        ['chain', 'skipped'],
        ['final blocks', 'skipped'],
        ['payout key', 'skipped'],
      ])
      // The server hears of the end a moment later; the client's own limit for a request is a minute.
      for (let waited = 0; waited < 2_000 && (await hanging.open()) > 0; waited += 20) await sleep(20)
      expect(await hanging.open()).toBe(0)
    } finally {
      await hanging.close()
    }
  })

  it('at a chain that takes connections and says nothing is cut off', async () => {
    const { answers } = await aPublishedLife()
    const [deployment, chain] = [await aDeployment(answers), await aDeployment(null)]
    try {
      const profile = { baseUrl: deployment.baseUrl, rpcUrl: chain.baseUrl, modelProfile: '', name: 'dev' }
      const found = await findings(deploymentLooks(profile, 400), 400)
      for (const name of ['chain', 'final blocks', 'payout key'])
        expect(found.find(one => one.name === name)).toMatchObject({ state: 'wrong' })
    } finally {
      await Promise.all([deployment.close(), chain.close()])
    }
  })
})
