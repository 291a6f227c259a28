import type { Command } from 'commander'
import { claim as send } from '../actions/claim.ts'
import { connected, contextOf, walletOf } from '../context.ts'
import { open } from '../output.ts'

/** Claims on chain what an account has earned. */
export function claim(program: Command): void {
  program
    .command('claim')
    .description('claim on chain, with a Merkle proof, what your account has earned')
    .option('--key-file <file>', 'private key of the account (or OPENLEDGER_KEY)')
    .action(async (options: { keyFile?: string }, command: Command) => {
      const { profile, session, show } = contextOf(command)
      walletOf(options)
      const opened = await session()
      const wallet = connected(profile, opened, options)
      const claimed = await send(opened, wallet, wallet.address)
      show({
        json: claimed,
        lines: [
          `claimed ${open(String(claimed.claimedWei))} OPEN of period ${claimed.period}`,
          `transaction ${claimed.transaction}`,
        ],
      })
    })
}
