import { routes } from '../../api/routes.ts'
import { parseAddress } from '../../domain/protocol/hex.ts'
import { deps } from '../deps.ts'
import { endpoint } from '../http/endpoint.ts'
import { iso } from '../http/presenters.ts'

export const handler = endpoint(routes.getPower, async ({ params }) => {
  const address = parseAddress(params.address)
  const { votesWei, balanceWei, delegate, block } = await deps.token().votesNow(address)
  return {
    address,
    powerWei: String(votesWei),
    balanceWei: String(balanceWei),
    delegate,
    block: { number: block.number, hash: block.hash, timestamp: iso(block.timestamp * 1_000) },
    hint: votesWei > 0n ? null : hintFor(balanceWei, delegate),
  }
})

function hintFor(balanceWei: bigint, delegate: string | null): string {
  if (balanceWei === 0n) return 'This address holds no gOPEN: wrap OPEN with GOpen.depositFor, then delegate.'
  if (delegate === null)
    return 'The balance is not delegated: call GOpen.delegate with the own address to vote oneself.'
  return `The votes are delegated to ${delegate}; delegate to the own address to vote oneself.`
}
