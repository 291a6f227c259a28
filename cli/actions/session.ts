import type { Wallet } from 'ethers'
import type { Client } from '../../api/client.ts'
import type { GenesisView } from '../../api/schemas/governance.ts'
import { type Address, parseAddress, parseBytes32 } from '../../domain/protocol/hex.ts'
import type { Genesis } from '../../domain/protocol/typed-data.ts'

/** What every signed action needs: a deployment to talk to, and the facts that signatures are bound to. */
export type Session = { readonly client: Client; readonly genesis: GenesisView; readonly bound: Genesis }

/** Reads the genesis facts once. @throws ApiError when the deployment does not answer */
export async function openSession(client: Client): Promise<Session> {
  const genesis = await client.call('getGenesis')
  return {
    client,
    genesis,
    bound: {
      chainId: genesis.chainId,
      gOpen: parseAddress(genesis.gOpen),
      deploymentId: parseBytes32(genesis.deploymentId),
    },
  }
}

export type Signer = Pick<Wallet, 'signTypedData' | 'address'>
export const addressOf = (signer: Pick<Signer, 'address'>): Address => parseAddress(signer.address)

/** Nonces only have to grow for one signer and object: the clock does, and needs no memory. */
let lastNonce = 0
export function nextNonce(): number {
  lastNonce = Math.max(lastNonce + 1, Date.now())
  return lastNonce
}
