import type { Command } from 'commander'
import { isOpenLedgerError } from '../../domain/errors.ts'
import type { Address } from '../../domain/protocol/hex.ts'
import { claim as send } from '../actions/claim.ts'
import { address } from '../arguments.ts'
import { connected, contextOf, walletOf } from '../context.ts'
import { open } from '../output.ts'

/** Claims on chain what an account has earned. */
export function claim(program: Command): void {
  program
    .command('claim')
    .description('claim on chain, with a Merkle proof, what your account has earned')
    .option(
      '--account <address>',
      'whose claim to send (default: of the key); its payee is paid, whoever sends it',
      address,
    )
    .option('--key-file <file>', 'private key that sends and pays the gas (or OPENLEDGER_KEY)')
    .action(async (options: { account?: Address; keyFile?: string }, command: Command) => {
      const { profile, session, show } = contextOf(command)
      walletOf(options)
      const opened = await session()
      const wallet = connected(profile, opened, options)
      const account = options.account ?? wallet.address
      const params = { address: account }
      const { heldWei, cumulativeWei } = await opened.client.call('getRewards', { params })
      const claimed = await send(opened, wallet, account).catch(error => {
        if (isOpenLedgerError(error) && error.code === 'not-found')
          console.error(`earned so far: ${open(cumulativeWei)} OPEN, held for later: ${open(heldWei)} OPEN`)
        throw error
      })
      show({
        json: { ...claimed, heldWei },
        lines: [
          `claimed ${open(String(claimed.claimedWei))} OPEN of period ${claimed.period}`,
          `transaction ${claimed.transaction}`,
          `held until there is later evidence: ${open(heldWei)} OPEN`,
        ],
      })
    })
}
