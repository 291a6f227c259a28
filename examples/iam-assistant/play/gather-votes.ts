import { Contract } from 'ethers'
import type { Stage } from './stage.ts'

const OPEN_ABI = ['function approve(address spender, uint256 value) returns (bool)']
const GOPEN_ABI = [
  'function depositFor(address account, uint256 value) returns (bool)',
  'function delegate(address delegatee)',
  'function getVotes(address account) view returns (uint256)',
]
const OPEN = 10n ** 18n
/** One holder has most, and still not half: nobody decides alone. */
const SHARES_OPEN = [4_000n, 2_000n, 1_500n, 1_000n, 800n, 500n, 200n]

/** Holders wrap OPEN into gOPEN and delegate to themselves, as anybody must who wants to vote. */
export async function gatherVotes(stage: Stage): Promise<Record<string, unknown>> {
  const { people, session, chain } = stage
  await stage.fund([
    ...people.holders.map((holder, index) => ({
      address: holder.address,
      openWei: (SHARES_OPEN[index] ?? 0n) * OPEN,
    })),
    ...people.contributors.map(({ address }) => ({ address, openWei: 0n })),
  ])
  await Promise.all(
    people.holders.map(async (holder, index) => {
      const wallet = holder.connect(chain)
      const amount = (SHARES_OPEN[index] ?? 0n) * OPEN
      const open = new Contract(session.genesis.openToken, OPEN_ABI, wallet)
      const gOpen = new Contract(session.genesis.gOpen, GOPEN_ABI, wallet)
      // All three in one block: the nonces say in which order.
      let nonce = await wallet.getNonce()
      const sent = [
        await open.getFunction('approve')(session.genesis.gOpen, amount, {
          nonce: nonce++,
          gasLimit: 200_000n,
        }),
        await gOpen.getFunction('depositFor')(holder.address, amount, { nonce: nonce++, gasLimit: 400_000n }),
        await gOpen.getFunction('delegate')(holder.address, { nonce: nonce++, gasLimit: 400_000n }),
      ]
      await Promise.all(sent.map(transaction => transaction.wait()))
    }),
  )
  const totalOpen = SHARES_OPEN.reduce((sum, share) => sum + share, 0n)
  return { holders: people.holders.length, wrappedWei: String(totalOpen * OPEN) }
}
