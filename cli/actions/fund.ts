import { Contract, type JsonRpcProvider, Wallet } from 'ethers'

const OPEN_ABI = ['function transfer(address to, uint256 value) returns (bool)']
/** Enough for every transaction of a rehearsal. */
const GAS_WEI = 10n ** 17n

/** Gives accounts gas and OPEN from one wallet, all in as few blocks as the chain takes. */
export async function fund(
  chain: { provider: JsonRpcProvider; openToken: string; funderKey: string },
  gifts: readonly { address: string; openWei: bigint }[],
): Promise<void> {
  const funder = new Wallet(chain.funderKey, chain.provider)
  const open = new Contract(chain.openToken, OPEN_ABI, funder)
  let nonce = await funder.getNonce('pending')
  const sent = []
  for (const { address, openWei } of gifts) {
    sent.push(await funder.sendTransaction({ to: address, value: GAS_WEI, nonce: nonce++ }))
    if (openWei > 0n) sent.push(await open.getFunction('transfer')(address, openWei, { nonce: nonce++ }))
  }
  await Promise.all(sent.map(transaction => transaction.wait()))
}
