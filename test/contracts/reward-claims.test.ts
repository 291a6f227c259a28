import { TypedDataEncoder, Wallet } from 'ethers'
import fc from 'fast-check'
import { parseAddress } from '../../domain/protocol/hex.ts'
import { keccak256Hex } from '../../domain/protocol/ids.ts'
import { type PayoutLeaf, type PayoutTree, payoutTree } from '../../domain/protocol/payout-tree.ts'
import { proveRuns } from '../support/prove-runs.ts'
import { startTestChain, type TestChain, type TestContract } from './anvil.ts'

const WINDOW_SECONDS = 600
const THRESHOLD = 2
const ZERO = `0x${'00'.repeat(20)}`
const logHead = keccak256Hex('log head')

/** Starting anvil and many calls take longer than Jest's 5 seconds on a busy machine. */
const SLOW_MS = 180_000

let chain: TestChain
let open: TestContract
let claims: TestContract
let deployer: string
let payer: string
let settler: string
let people: string[]
/** Governors with keys, in ascending order of address as the contract wants signatures. */
const governors = ['a', 'b', 'c']
  .map(name => new Wallet(keccak256Hex(`governor ${name}`)))
  .sort((left, right) => (left.address.toLowerCase() < right.address.toLowerCase() ? -1 : 1))
const stranger = new Wallet(keccak256Hex('stranger'))

beforeAll(async () => {
  chain = await startTestChain()
  ;[deployer, payer, settler, ...people] = chain.accounts as [string, string, string, ...string[]]
  people = people.slice(0, 4)
  open = await chain.deploy(deployer, 'OpenToken')
  claims = await chain.deploy(
    deployer,
    'RewardClaims',
    open.address,
    settler,
    governors.map(governor => governor.address),
    THRESHOLD,
    WINDOW_SECONDS,
  )
  await open.send(deployer, 'transfer', payer, 10n ** 24n)
  await open.send(payer, 'approve', claims.address, 10n ** 24n)
  for (const governor of governors) {
    await chain.rpc('anvil_setBalance', [governor.address, '0xde0b6b3a7640000'])
    await chain.rpc('anvil_impersonateAccount', [governor.address])
  }
}, SLOW_MS)
afterAll(async () => chain?.stop())

const leavesOf = (amounts: readonly bigint[]): PayoutLeaf[] =>
  amounts.map((cumulativeAmount, at) => ({ account: parseAddress(people[at]), cumulativeAmount }))
const sum = (amounts: readonly bigint[]) => amounts.reduce((total, amount) => total + amount, 0n)

async function propose(
  period: number,
  amounts: readonly bigint[],
  total = sum(amounts),
): Promise<PayoutTree> {
  const tree = payoutTree(leavesOf(amounts))
  await claims.send(settler, 'proposeRoot', period, tree.root, total, logHead)
  return tree
}
/** A period that is funded, proposed and past its dispute window. */
async function settle(period: number, amounts: readonly bigint[], funding: bigint): Promise<PayoutTree> {
  await claims.send(payer, 'fund', period, funding)
  const tree = await propose(period, amounts)
  await chain.pass(WINDOW_SECONDS)
  return tree
}
const claim = (tree: PayoutTree, at: number, amount: bigint, sender = deployer) =>
  claims.send(sender, 'claim', people[at], amount, tree.proof(parseAddress(people[at])))

const domain = () => ({
  name: 'OpenLedger RewardClaims',
  version: '1',
  chainId: chain.chainId,
  verifyingContract: claims.address,
})
const CANCEL_ROOT = {
  CancelRoot: [
    { name: 'sequence', type: 'uint256' },
    { name: 'period', type: 'uint256' },
    { name: 'root', type: 'bytes32' },
  ],
}
const cancelSignatures = (
  signers: readonly Wallet[],
  message: { sequence: bigint; period: number; root: string },
) => Promise.all(signers.map(signer => signer.signTypedData(domain(), CANCEL_ROOT, message)))

describe('funding and roots', () => {
  it('counts as revenue what arrived', () =>
    chain.inSnapshot(async () => {
      const { events } = await claims.send(payer, 'fund', 7, 500n)
      expect(events).toContainEqual({ name: 'Funded', args: { period: 7n, from: payer, amount: 500n } })
      expect(await claims.read('totalFunded')).toBe(500n)
      expect(await claims.read('fundedOf', 7)).toBe(500n)
    }))

  it('takes a root from the settler only, and at most what was funded', () =>
    chain.inSnapshot(async () => {
      await claims.send(payer, 'fund', 1, 100n)
      const { root } = payoutTree(leavesOf([60n, 41n]))
      await expect(claims.send(payer, 'proposeRoot', 1, root, 100n, logHead)).rejects.toThrow('NotSettler')
      await expect(propose(1, [60n, 41n])).rejects.toThrow('TotalAboveFunded(100)')
      await expect(
        claims.send(settler, 'proposeRoot', 1, `0x${'00'.repeat(32)}`, 100n, logHead),
      ).rejects.toThrow('ZeroRoot')
      await propose(1, [60n, 40n])
    }))

  it('has one pending root at a time, then a later period with a total that does not fall', () =>
    chain.inSnapshot(async () => {
      await settle(5, [60n, 40n], 200n)
      await expect(propose(5, [60n, 50n])).rejects.toThrow('PeriodNotLater(5)')
      await expect(propose(6, [60n, 30n])).rejects.toThrow('TotalBelowSettled(100)')
      await propose(6, [60n, 50n])
      await expect(propose(7, [70n, 50n])).rejects.toThrow('RootPending')
    }))

  it('pays from the earlier root while the next one is in dispute', () =>
    chain.inSnapshot(async () => {
      const first = await settle(1, [60n, 40n], 200n)
      await propose(2, [90n, 60n])
      await claim(first, 0, 60n)
      expect(await claims.read('claimedOf', people[0])).toBe(60n)
    }))

  it('refuses a deployment whose governors cannot act', async () => {
    const deploy = (list: string[], threshold: number) =>
      chain.deploy(deployer, 'RewardClaims', open.address, settler, list, threshold, WINDOW_SECONDS)
    const [one, two] = governors.map(governor => governor.address) as [string, string]
    await expect(deploy([one], 0)).rejects.toThrow('BadGovernors')
    await expect(deploy([one, two], 3)).rejects.toThrow('BadGovernors')
    await expect(deploy([one, one], 1)).rejects.toThrow('BadGovernors')
    await expect(deploy([one, ZERO], 1)).rejects.toThrow('BadGovernors')
  })
})

describe('canceling', () => {
  const pendingRoot = async () => {
    await claims.send(payer, 'fund', 1, 100n)
    const tree = await propose(1, [60n, 40n])
    const sequence = await claims.read('sequence')
    return { tree, sequence, message: { sequence, period: 1, root: tree.root } }
  }

  it('takes M governors by transactions: M - 1 do not suffice, one twice is one', () =>
    chain.inSnapshot(async () => {
      const { tree, sequence } = await pendingRoot()
      const [one, two] = governors.map(governor => governor.address) as [string, string]
      await claims.send(one, 'cancelRoot', sequence)
      await claims.send(one, 'cancelRoot', sequence)
      expect((await claims.read<{ root: string }>('pendingRoot')).root).toBe(tree.root)
      await expect(claims.send(payer, 'cancelRoot', sequence)).rejects.toThrow('NotGovernor')
      const { events } = await claims.send(two, 'cancelRoot', sequence)
      expect(events.map(event => event.name)).toContain('RootCanceled')
      await chain.pass(WINDOW_SECONDS)
      await expect(claim(tree, 0, 60n)).rejects.toThrow('BadProof')
    }))

  it('takes M governors by signatures that anybody may bring', () =>
    chain.inSnapshot(async () => {
      const { tree, sequence, message } = await pendingRoot()
      const signatures = await cancelSignatures(governors, message)
      const bring = (from: number, to: number) =>
        claims.send(
          payer,
          'cancelRootBySignatures',
          sequence,
          governors.slice(from, to).map(governor => governor.address),
          signatures.slice(from, to),
        )
      await expect(bring(0, THRESHOLD - 1)).rejects.toThrow('BelowThreshold(1)')
      await bring(0, THRESHOLD)
      await chain.pass(WINDOW_SECONDS)
      await expect(claim(tree, 0, 60n)).rejects.toThrow('BadProof')
    }))

  it('adds up voices that came both ways', () =>
    chain.inSnapshot(async () => {
      const { sequence, message } = await pendingRoot()
      const [one, two] = governors as [Wallet, Wallet]
      await claims.send(one.address, 'cancelRoot', sequence)
      // The same governor again, now by signature, still counts once.
      const again = await cancelSignatures([one], message)
      await expect(
        claims.send(payer, 'cancelRootBySignatures', sequence, [one.address], again),
      ).rejects.toThrow('BelowThreshold(1)')
      await claims.send(
        payer,
        'cancelRootBySignatures',
        sequence,
        [two.address],
        await cancelSignatures([two], message),
      )
      await expect(claims.send(two.address, 'cancelRoot', sequence)).rejects.toThrow('NothingPending')
    }))

  it('counts no governor twice, no stranger, and no signature over another root', () =>
    chain.inSnapshot(async () => {
      const { sequence, message } = await pendingRoot()
      const [one, two] = governors as [Wallet, Wallet]
      const bring = (signers: string[], signatures: string[]) =>
        claims.send(payer, 'cancelRootBySignatures', sequence, signers, signatures)
      const [byOne, byTwo] = (await cancelSignatures([one, two], message)) as [string, string]
      await expect(bring([one.address, one.address], [byOne, byOne])).rejects.toThrow('SignersNotAscending')
      await expect(bring([two.address, one.address], [byTwo, byOne])).rejects.toThrow('SignersNotAscending')
      await expect(bring([one.address, two.address], [byOne, byOne])).rejects.toThrow('BadSignature')
      const [byStranger] = (await cancelSignatures([stranger], message)) as [string]
      await expect(bring([stranger.address], [byStranger])).rejects.toThrow('NotGovernor')
      const elsewhere = await cancelSignatures([one, two], { ...message, root: keccak256Hex('other') })
      await expect(bring([one.address, two.address], elsewhere)).rejects.toThrow('BadSignature')
    }))

  it('lets the period be proposed again, and old signatures do not cancel that', () =>
    chain.inSnapshot(async () => {
      const { sequence, message } = await pendingRoot()
      const signers = governors.slice(0, THRESHOLD)
      const addresses = signers.map(signer => signer.address)
      const signatures = await cancelSignatures(signers, message)
      await claims.send(payer, 'cancelRootBySignatures', sequence, addresses, signatures)
      const tree = await propose(1, [60n, 40n])
      await expect(
        claims.send(payer, 'cancelRootBySignatures', sequence, addresses, signatures),
      ).rejects.toThrow('WrongSequence')
      await expect(
        claims.send(payer, 'cancelRootBySignatures', sequence + 1n, addresses, signatures),
      ).rejects.toThrow('BadSignature')
      await chain.pass(WINDOW_SECONDS)
      await claim(tree, 1, 40n)
    }))

  it('ends with the dispute window', () =>
    chain.inSnapshot(async () => {
      const { tree, sequence } = await pendingRoot()
      await expect(claim(tree, 0, 60n)).rejects.toThrow('BadProof')
      await chain.pass(WINDOW_SECONDS)
      const [one] = governors as [Wallet]
      await expect(claims.send(one.address, 'cancelRoot', sequence)).rejects.toThrow('NothingPending')
      await claim(tree, 0, 60n)
    }))

  it('signs what its type says (EIP-712)', async () => {
    const separator = TypedDataEncoder.hashDomain(domain())
    expect(await claims.read<string>('DOMAIN_SEPARATOR')).toBe(separator)
  })
})

describe('claiming', () => {
  it('pays a leaf once, however often it is claimed', () =>
    chain.inSnapshot(async () => {
      const tree = await settle(1, [60n, 40n], 100n)
      const before = await open.read('balanceOf', people[0])
      await claim(tree, 0, 60n)
      const { events } = await claim(tree, 0, 60n)
      expect(events).toEqual([])
      expect((await open.read('balanceOf', people[0])) - before).toBe(60n)
      expect(await claims.read('totalClaimed')).toBe(60n)
    }))

  it('pays the difference when the next period adds to the leaf', () =>
    chain.inSnapshot(async () => {
      const before = await open.read('balanceOf', people[0])
      await claim(await settle(1, [60n, 40n], 100n), 0, 60n)
      await claim(await settle(2, [75n, 40n], 50n), 0, 75n)
      expect((await open.read('balanceOf', people[0])) - before).toBe(75n)
    }))

  it('pays once over claim, rotate, claim: the leaf stays the account', () =>
    chain.inSnapshot(async () => {
      const tree = await settle(1, [60n, 40n], 100n)
      const [account, , newKey] = people as [string, string, string]
      const balances = async () => [
        await open.read('balanceOf', account),
        await open.read('balanceOf', newKey),
      ]
      const [accountBefore, newKeyBefore] = (await balances()) as [bigint, bigint]
      await claim(tree, 0, 60n)
      await claims.send(account, 'rotatePayee', account, newKey)
      await claim(tree, 0, 60n)
      expect(await balances()).toEqual([accountBefore + 60n, newKeyBefore])
      const next = await settle(2, [90n, 40n], 50n)
      await claim(next, 0, 90n)
      await claim(next, 0, 90n)
      expect(await balances()).toEqual([accountBefore + 60n, newKeyBefore + 30n])
    }))

  it('lets nobody but the present payee rotate, not even the account after it rotated away', () =>
    chain.inSnapshot(async () => {
      const [account, thief, newKey] = people as [string, string, string]
      await expect(claims.send(thief, 'rotatePayee', account, thief)).rejects.toThrow('NotPayee')
      await claims.send(account, 'rotatePayee', account, newKey)
      await expect(claims.send(account, 'rotatePayee', account, thief)).rejects.toThrow('NotPayee')
      await expect(claims.send(newKey, 'rotatePayee', account, ZERO)).rejects.toThrow('ZeroAddress')
      await claims.send(newKey, 'rotatePayee', account, account)
      expect(await claims.read<string>('payeeOf', account)).toBe(account)
    }))

  it('refuses another amount, another account and a node passed off as a leaf', () =>
    chain.inSnapshot(async () => {
      const tree = await settle(1, [60n, 40n], 200n)
      await expect(claim(tree, 0, 61n)).rejects.toThrow('BadProof')
      const proof = tree.proof(parseAddress(people[0]))
      await expect(claims.send(deployer, 'claim', people[1], 60n, proof)).rejects.toThrow('BadProof')
      await expect(claims.send(deployer, 'claim', people[0], 60n, [])).rejects.toThrow('BadProof')
    }))

  it('pays no more than the total of the root, even if the tree holds more', () =>
    chain.inSnapshot(async () => {
      await claims.send(payer, 'fund', 1, 1_000n)
      const tree = await propose(1, [60n, 50n], 100n)
      await chain.pass(WINDOW_SECONDS)
      await claim(tree, 0, 60n)
      await expect(claim(tree, 1, 50n)).rejects.toThrow('AboveTotal(100)')
    }))

  it(
    'never pays more than was funded, whatever is called in whatever order',
    async () => {
      const amount = fc.bigInt({ min: 0n, max: 300n })
      const command = fc.oneof(
        fc.record({ do: fc.constant('fund' as const), amount }),
        fc.record({
          do: fc.constant('propose' as const),
          added: fc.array(amount, { minLength: 4, maxLength: 4 }),
          lie: fc.boolean(),
        }),
        fc.record({ do: fc.constant('pass' as const), seconds: fc.constantFrom(1, WINDOW_SECONDS) }),
        fc.record({ do: fc.constant('claim' as const), who: fc.nat(3), tree: fc.nat(5) }),
        fc.record({
          do: fc.constant('cancel' as const),
          governors: fc.uniqueArray(fc.nat(2), { minLength: 1 }),
        }),
        fc.record({ do: fc.constant('rotate' as const), who: fc.nat(3), to: fc.nat(3) }),
      )
      // A run that starts with money and a root gets past the door more often.
      const start = [
        { do: 'fund', amount: 300n } as const,
        { do: 'propose', added: [10n, 20n, 30n, 40n], lie: false } as const,
        { do: 'pass', seconds: WINDOW_SECONDS } as const,
      ]
      const paidIn = { times: 0 }
      const property = fc.asyncProperty(fc.array(command, { minLength: 5, maxLength: 20 }), commands =>
        chain.inSnapshot(async () => {
          const trees: { tree: PayoutTree; amounts: bigint[] }[] = []
          const before = await Promise.all(people.map(person => open.read('balanceOf', person)))
          let amounts = [0n, 0n, 0n, 0n]
          let period = 0
          for (const step of [...start, ...commands]) {
            const run = async () => {
              switch (step.do) {
                case 'fund':
                  return claims.send(payer, 'fund', period, step.amount)
                case 'propose': {
                  const next = amounts.map((old, at) => old + step.added[at]!)
                  const tree = payoutTree(leavesOf(next))
                  const total = step.lie ? sum(next) / 2n : sum(next)
                  await claims.send(settler, 'proposeRoot', period + 1, tree.root, total, logHead)
                  period += 1
                  amounts = next
                  trees.push({ tree, amounts: next })
                  return
                }
                case 'pass':
                  return chain.pass(step.seconds)
                case 'claim': {
                  const given = trees[step.tree % Math.max(1, trees.length)]
                  if (given !== undefined) await claim(given.tree, step.who, given.amounts[step.who]!)
                  return
                }
                case 'cancel': {
                  const sequence = await claims.read('sequence')
                  for (const at of step.governors)
                    await claims.send(governors[at]!.address, 'cancelRoot', sequence)
                  return
                }
                case 'rotate': {
                  const payee = await claims.read<string>('payeeOf', people[step.who])
                  return claims.send(payee, 'rotatePayee', people[step.who], people[step.to])
                }
              }
            }
            await run().catch((error: Error) => {
              const expected =
                /^(TotalAboveFunded|TotalBelowSettled|RootPending|PeriodNotLater|NothingPending|BadProof|AboveTotal)\(/
              if (!expected.test(error.message)) throw error
            })
            const totalFunded = await claims.read('totalFunded')
            const totalClaimed = await claims.read('totalClaimed')
            expect(totalClaimed <= totalFunded).toBe(true)
            expect(await open.read('balanceOf', claims.address)).toBe(totalFunded - totalClaimed)
            const claimed = await Promise.all(people.map(person => claims.read('claimedOf', person)))
            expect(sum(claimed)).toBe(totalClaimed)
            const now = await Promise.all(people.map(person => open.read('balanceOf', person)))
            expect(sum(now) - sum(before)).toBe(totalClaimed)
            if (totalClaimed > 0n) paidIn.times += 1
          }
        }),
      )
      await fc.assert(property, proveRuns(10))
      // The property would hold idly if nothing was ever paid.
      expect(paidIn.times).toBeGreaterThan(0)
    },
    SLOW_MS,
  )
})

describe('the settler', () => {
  const ROTATE_SETTLER = {
    RotateSettler: [
      { name: 'newSettler', type: 'address' },
      { name: 'nonce', type: 'uint256' },
    ],
  }
  const signRotation = (signers: readonly Wallet[], newSettler: string, nonce: bigint) =>
    Promise.all(signers.map(signer => signer.signTypedData(domain(), ROTATE_SETTLER, { newSettler, nonce })))

  it('is named once by the deployer when the stage has no payout key yet', async () => {
    const fresh = await chain.deploy(
      deployer,
      'RewardClaims',
      open.address,
      ZERO,
      governors.map(governor => governor.address),
      THRESHOLD,
      WINDOW_SECONDS,
    )
    await expect(fresh.send(payer, 'initializeSettler', payer)).rejects.toThrow('NotDeployer')
    await fresh.send(deployer, 'initializeSettler', settler)
    await expect(fresh.send(deployer, 'initializeSettler', payer)).rejects.toThrow('SettlerAlreadySet')
    await expect(claims.send(deployer, 'initializeSettler', payer)).rejects.toThrow('SettlerAlreadySet')
  })

  it('changes with M governors and not with M - 1, and one set of signatures works once', () =>
    chain.inSnapshot(async () => {
      const signers = governors.slice(0, THRESHOLD)
      const addresses = signers.map(signer => signer.address)
      const signatures = await signRotation(signers, payer, 0n)
      await expect(
        claims.send(payer, 'rotateSettler', payer, addresses.slice(1), signatures.slice(1)),
      ).rejects.toThrow('BelowThreshold(1)')
      await claims.send(payer, 'rotateSettler', payer, addresses, signatures)
      expect(await claims.read<string>('settler')).toBe(payer)
      const back = await signRotation(signers, settler, 1n)
      await claims.send(payer, 'rotateSettler', settler, addresses, back)
      await expect(claims.send(payer, 'rotateSettler', payer, addresses, signatures)).rejects.toThrow(
        'BadSignature',
      )
    }))
})
