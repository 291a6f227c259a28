import fc from 'fast-check'
import { proveRuns } from '../support/prove-runs.ts'
import { startTestChain, type TestChain, type TestContract } from './anvil.ts'

/** Starting anvil and many calls take longer than Jest's 5 seconds on a busy machine. */
const SLOW_MS = 120_000

let chain: TestChain
let open: TestContract
let gOpen: TestContract
let deployer: string
let holders: string[]

beforeAll(async () => {
  chain = await startTestChain()
  ;[deployer, ...holders] = chain.accounts as [string, ...string[]]
  holders = holders.slice(0, 4)
  open = await chain.deploy(deployer, 'OpenToken')
  gOpen = await chain.deploy(deployer, 'GOpen', open.address)
  for (const holder of holders) {
    await open.send(deployer, 'transfer', holder, 1_000n)
    await open.send(holder, 'approve', gOpen.address, 1_000n)
  }
}, SLOW_MS)
afterAll(async () => chain?.stop())

describe('gOPEN', () => {
  it('is backed one to one by OPEN, in the same units', async () => {
    await chain.inSnapshot(async () => {
      const [holder] = holders as [string]
      await gOpen.send(holder, 'depositFor', holder, 300n)
      expect(await gOpen.read('totalSupply')).toBe(300n)
      expect(await open.read('balanceOf', gOpen.address)).toBe(300n)
      expect(await gOpen.read('decimals')).toBe(18n)
      await gOpen.send(holder, 'withdrawTo', holder, 100n)
      expect(await gOpen.read('balanceOf', holder)).toBe(200n)
      expect(await open.read('balanceOf', holder)).toBe(800n)
      await expect(gOpen.send(holder, 'withdrawTo', holder, 201n)).rejects.toThrow('ERC20InsufficientBalance')
    })
  })

  it('runs on the clock of seconds', async () => {
    expect(await gOpen.read('CLOCK_MODE')).toBe('mode=timestamp')
    expect(Number(await gOpen.read('clock'))).toBe(await chain.now())
  })

  it('keeps the old power of a voter who moved tokens after the snapshot', async () => {
    await chain.inSnapshot(async () => {
      const [holder, other] = holders as [string, string]
      await gOpen.send(holder, 'depositFor', holder, 300n)
      await gOpen.send(holder, 'delegate', holder)
      await gOpen.send(other, 'delegate', other)
      const opensAt = await chain.now()
      await chain.pass(10)
      await gOpen.send(holder, 'transfer', other, 300n)
      await chain.pass(1)
      expect(await gOpen.read('getPastVotes', holder, opensAt)).toBe(300n)
      expect(await gOpen.read('getPastVotes', other, opensAt)).toBe(0n)
      expect(await gOpen.read('getVotes', other)).toBe(300n)
    })
  })

  it('does not answer about an instant that is not past', async () => {
    const now = await chain.now()
    for (const method of ['getPastTotalDelegated', 'getPastTotalSupply'])
      await expect(gOpen.read(method, now + 1_000)).rejects.toThrow()
  })

  it(
    'knows at every past instant how much of the supply was delegated',
    async () => {
      const step = fc.record({
        who: fc.nat(3),
        to: fc.nat(4),
        amount: fc.bigInt({ min: 0n, max: 120n }),
        kind: fc.constantFrom('deposit', 'withdraw', 'transfer', 'delegate', 'undelegate'),
      })
      const property = fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 14 }), steps =>
        chain.inSnapshot(async () => {
          const delegated = async () => {
            let total = 0n
            for (const holder of holders) {
              const delegate = await gOpen.read<string>('delegates', holder)
              if (BigInt(delegate) !== 0n) total += await gOpen.read('balanceOf', holder)
            }
            return total
          }
          // Everybody holds some and half delegate, so that most steps move something.
          for (const holder of holders) await gOpen.send(holder, 'depositFor', holder, 200n)
          for (const holder of holders.slice(0, 2)) await gOpen.send(holder, 'delegate', holder)
          const seen: { at: number; delegated: bigint; votes: bigint }[] = []
          for (const { who, to, amount, kind } of steps) {
            const holder = holders[who]!
            const target = holders[to % holders.length]!
            const sent =
              kind === 'deposit'
                ? gOpen.send(holder, 'depositFor', target, amount)
                : kind === 'withdraw'
                  ? gOpen.send(holder, 'withdrawTo', holder, amount)
                  : kind === 'transfer'
                    ? gOpen.send(holder, 'transfer', target, amount)
                    : gOpen.send(holder, 'delegate', kind === 'delegate' ? target : `0x${'00'.repeat(20)}`)
            await sent.catch((error: Error) => {
              if (!error.message.startsWith('ERC20Insufficient')) throw error
            })
            let votes = 0n
            for (const one of holders) votes += await gOpen.read('getVotes', one)
            seen.push({ at: await chain.now(), delegated: await delegated(), votes })
            await chain.pass(1)
          }
          for (const { at, delegated: expected, votes } of seen) {
            expect(await gOpen.read('getPastTotalDelegated', at)).toBe(expected)
            expect(votes).toBe(expected)
          }
        }),
      )
      await fc.assert(property, proveRuns(10))
    },
    SLOW_MS,
  )
})
