import { formatEther } from 'ethers'
import { createClient } from '../../api/client.ts'
import { settlerOf } from '../actions/settler.ts'
import { chainAt } from '../context.ts'
import type { Profile } from '../profile.ts'
import { LOOK_MS, type Look, Skipped } from './finding.ts'

/** Whether a deployment answers, has its log's first leaf, and agrees with the chain. */

/** What votes and payouts need of a node: blocks that are final, and the state of one that passed a while ago. */
const BLOCKS_BACK = 1_000

/** `limitMs` ends each request, so that nothing that hangs outlives the looks. */
export function deploymentLooks(profile: Profile, limitMs = LOOK_MS): Look[] {
  // A little less than a look has: those that rest on the interface then say so.
  const client = createClient({ baseUrl: profile.baseUrl, timeoutMs: limitMs * 0.8 })
  let answer: ReturnType<typeof ask> | undefined
  const ask = () => client.call('getGenesis')
  const interfaceAnswer = () => {
    answer ??= ask()
    return answer
  }
  const genesis = () =>
    interfaceAnswer().catch(() => {
      throw new Skipped('cannot be seen while the interface does not answer')
    })
  const rpc = async () => {
    if (profile.rpcUrl === undefined)
      throw new Skipped('the profile names no "rpcUrl"; only transactions need it')
    const facts = await genesis()
    return { facts, provider: chainAt(profile.rpcUrl, facts.chainId, limitMs) }
  }
  return [
    {
      name: 'interface',
      look: async () => {
        const { deploymentId, rules } = await interfaceAnswer()
        return `${profile.baseUrl}: deployment ${deploymentId.slice(0, 12)}…, rules ${rules.name}`
      },
      fix: `start the deployment, or correct "baseUrl" of the profile ${profile.name}`,
    },
    {
      name: 'log',
      look: async () => {
        await genesis()
        const { origin, size } = await client.call('getLogCheckpoint')
        if (size === 0) throw new Error('the log is empty')
        return `${origin}, ${size} leaves`
      },
      fix: 'write leaf 0: openledger genesis --write',
    },
    {
      name: 'chain',
      look: async () => {
        const { facts, provider } = await rpc()
        try {
          const seen = Number(await provider.send('eth_chainId', []))
          if (seen !== facts.chainId)
            throw new Error(`chain ${seen}, the deployment is bound to ${facts.chainId}`)
          if ((await provider.getCode(facts.gOpen)) === '0x')
            throw new Error(`no contract at gOPEN ${facts.gOpen}`)
          return `chain ${seen}, gOPEN is there`
        } finally {
          provider.destroy()
        }
      },
      fix: `correct "rpcUrl" of the profile ${profile.name}`,
    },
    {
      name: 'final blocks',
      look: async () => {
        const { provider } = await rpc()
        try {
          const final = await provider.getBlock('finalized')
          if (final === null) throw new Error('the node knows no finalized block')
          const back = Math.max(0, final.number - BLOCKS_BACK)
          const archive = await provider.getBalance(`0x${'0'.repeat(40)}`, back).then(
            () => true,
            () => false,
          )
          return `block ${final.number} is final; state of block ${back} ${archive ? 'is kept' : 'is gone: no archive node'}`
        } finally {
          provider.destroy()
        }
      },
      fix: 'use a node that serves the "finalized" tag: power is only read at final blocks',
    },
    {
      name: 'payout key',
      look: async () => {
        const { facts, provider } = await rpc()
        try {
          const { payout, named, gasWei } = await settlerOf(facts, provider)
          if (named !== payout)
            throw new Error(`RewardClaims takes roots from ${named ?? 'nobody'}, not from ${payout}`)
          if (gasWei === 0n) throw new Error(`${payout} has no gas`)
          return `${payout} may propose roots, and has ${formatEther(gasWei)} of the chain's coin for gas`
        } finally {
          provider.destroy()
        }
      },
      fix: 'openledger genesis --write --key-file FILE with the key that deployed RewardClaims, and gas for the payout key: without both no payout reaches the chain',
    },
  ]
}
