import type { Command } from 'commander'
import { buyKey, deposit } from '../actions/deposit.ts'
import { id, wholeOpen } from '../arguments.ts'
import { connected, contextOf, walletOf } from '../context.ts'

/** Buys an API key by a deposit on chain. */
export function keys(program: Command): void {
  program
    .command('keys')
    .description('API keys, bought by a deposit of OPEN')
    .command('create')
    .description('deposit OPEN into the open payout period and get an API key for it; the key is shown once')
    .requiredOption('--datanet <id>', 'whose model the credit is meant for', id)
    .requiredOption('--amount <open>', 'whole OPEN to deposit', wholeOpen)
    .option('--key-file <file>', 'private key of the account (or OPENLEDGER_KEY)')
    .action(async (options: { datanet: string; amount: bigint; keyFile?: string }, command: Command) => {
      const { profile, session, show } = contextOf(command)
      const { datanet: datanetId, amount: amountWei } = options
      walletOf(options)
      const opened = await session()
      const wallet = connected(profile, opened, options)
      const paid = await deposit(opened, wallet, { datanetId, amountWei })
      const { apiKey, key } = await buyKey(opened, wallet, { depositTx: paid.transaction })
      show({
        json: { apiKey, key, deposit: paid },
        lines: [
          `deposited in period ${paid.period}: ${paid.transaction}`,
          `key (shown once): ${apiKey}`,
          'use it as OPENLEDGER_API_KEY',
        ],
      })
    })
}
