import type { Command } from 'commander'
import { createClient } from '../../api/client.ts'
import { parseBytes32 } from '../../domain/protocol/hex.ts'
import { buyKey, deposit } from '../actions/deposit.ts'
import { id, wholeOpen } from '../arguments.ts'
import { apiKeyOf, connected, contextOf, walletOf } from '../context.ts'
import { open } from '../output.ts'

type Options = { datanet: string; amount: bigint; deposit?: string; keyFile?: string }

/** Buys an API key by a deposit on chain, and tells what is left of it. */
export function keys(program: Command): void {
  const group = program.command('keys').description('API keys, bought by a deposit of OPEN')
  group
    .command('create')
    .description('deposit OPEN into the open payout period and get an API key for it; the key is shown once')
    .requiredOption('--datanet <id>', 'whose model the credit is meant for', id)
    .requiredOption('--amount <open>', 'whole OPEN to deposit', wholeOpen)
    .option('--deposit <transaction>', 'a deposit of before that has no key yet; nothing is paid then', id)
    .option('--key-file <file>', 'private key of the account (or OPENLEDGER_KEY)')
    .action(async (options: Options, command: Command) => {
      const { profile, session, show } = contextOf(command)
      walletOf(options)
      const opened = await session()
      const wallet = connected(profile, opened, options)
      const { datanet: datanetId, amount: amountWei } = options
      const paid =
        options.deposit === undefined ? await deposit(opened, wallet, { datanetId, amountWei }) : null
      const depositTx = paid?.transaction ?? parseBytes32(options.deposit)
      if (paid !== null)
        console.error(
          `deposited in period ${paid.period}: ${depositTx}\nShould this break off, the same command with --deposit ${depositTx} goes on.`,
        )
      const { apiKey, key } = await buyKey(opened, wallet, { depositTx })
      show({
        json: { apiKey, key, deposit: paid ?? { transaction: depositTx } },
        lines: [`key (shown once): ${apiKey}`, 'use it as OPENLEDGER_API_KEY'],
      })
    })
  group
    .command('show')
    .description('credit and usage of your API key (OPENLEDGER_API_KEY, or from the profile)')
    .action(async (_options: object, command: Command) => {
      const { profile, show } = contextOf(command)
      const client = createClient({ baseUrl: profile.baseUrl, apiKey: apiKeyOf(profile) })
      const key = await client.call('getKey')
      show({
        json: key,
        lines: [
          `credit    ${open(key.creditWei)} OPEN`,
          `spent     ${open(key.spentWei)} OPEN in ${key.usage.requests} requests`,
          `reserved  ${open(key.reservedWei)} OPEN`,
        ],
      })
    })
}
