import type { Command } from 'commander'
import { formatEther } from 'ethers'
import type { GenesisView } from '../../api/schemas/governance.ts'
import { OpenLedgerError } from '../../domain/errors.ts'
import { initializeSettler, type Settler, settlerOf } from '../actions/settler.ts'
import { chainAt, contextOf, walletOf } from '../context.ts'
import type { Profile } from '../profile.ts'

type Options = { write?: boolean; keyFile?: string }
type Named = Settler & { readonly transaction: string | null }

/** What a client signs against; with --write, leaf 0 of the log and the settler of RewardClaims. */
export function genesis(program: Command): void {
  program
    .command('genesis')
    .description('show the genesis facts; --write completes them, once, after the first deploy')
    .option(
      '--write',
      'write the facts into the log as leaf 0, and with the key of the account that deployed RewardClaims make the payout key its settler',
    )
    .option('--key-file <file>', 'with --write: private key of that account (or OPENLEDGER_KEY)')
    .addHelpText(
      'after',
      '\nKeep what `openledger --json genesis` prints: `verify --genesis FILE` trusts it instead of the deployment.',
    )
    .action(async (options: Options, command: Command) => {
      if (options.keyFile !== undefined && options.write !== true)
        command.error('error: --key-file goes with --write')
      const { profile, session, show } = contextOf(command)
      const { client, genesis: facts } = await session()
      if (options.write === true) requireKeyAndChain(profile, options)
      const leaf = options.write === true ? await client.call('logGenesis') : null
      const settler = options.write === true ? await nameSettler(profile, facts, options) : null
      show({
        json: { ...facts, leaf, settler },
        lines: [
          `deployment  ${facts.deploymentId}`,
          `chain       ${facts.chainId}, gOPEN ${facts.gOpen}`,
          `claims      RewardClaims ${facts.rewardClaims}, payout key ${facts.signers.payout}`,
          `governors   ${facts.governors.threshold} of ${facts.governors.addresses.length}`,
          `rules       ${facts.rules.name}${facts.rehearsal ? ' (a rehearsal stage)' : ''}`,
          `log         ${facts.signers.logHead}`,
          ...(leaf === null ? [] : [`leaf 0      ${leaf.leafHash}`, ...settlerLines(facts, settler)]),
        ],
      })
    })
}

const hasKey = (options: Options) => options.keyFile !== undefined || process.env.OPENLEDGER_KEY !== undefined

/** What is wrong with a key is said before anything is written. @throws OpenLedgerError */
function requireKeyAndChain({ rpcUrl, name }: Profile, options: Options): void {
  if (!hasKey(options)) return
  walletOf(options)
  if (rpcUrl === undefined)
    throw new OpenLedgerError('malformed', 'Naming the settler needs the chain', {
      expected: `"rpcUrl" in the profile ${name}`,
      seen: 'a profile without it',
    })
}

/** null when the profile names no chain. */
async function nameSettler(profile: Profile, facts: GenesisView, options: Options): Promise<Named | null> {
  if (profile.rpcUrl === undefined) return null
  const chain = chainAt(profile.rpcUrl, facts.chainId)
  try {
    const found = await settlerOf(facts, chain)
    if (found.named !== null || !hasKey(options)) return { ...found, transaction: null }
    const transaction = await initializeSettler(facts, walletOf(options).connect(chain), found.payout)
    return { ...found, named: found.payout, transaction }
  } finally {
    chain.destroy()
  }
}

/** Without a settler no payout reaches the chain; whoever reads this learns what is left to do. */
function settlerLines(facts: GenesisView, settler: Named | null): string[] {
  const { payout } = facts.signers
  const leftToDo = [
    `to do       RewardClaims ${facts.rewardClaims} has to take its roots from the payout key ${payout}:`,
    '            run this again with --key-file FILE, the key of the account that deployed the contract,',
    `            or send initializeSettler(${payout}) from that account`,
  ]
  if (settler === null)
    return [
      'settler     not looked at: the profile names no "rpcUrl"',
      ...leftToDo,
      `            then send the chain's coin for gas to ${payout}`,
    ]
  const gas =
    settler.gasWei === 0n
      ? `to do       the payout key has no gas: send some of the chain's coin to ${payout}`
      : `gas         ${formatEther(settler.gasWei)} of the chain's coin on the payout key, which pays for every root`
  if (settler.named === null) return ['settler     nobody is named yet', ...leftToDo, gas]
  if (settler.named !== settler.payout)
    return [
      `settler     WRONG: ${settler.named}, not the payout key`,
      `to do       governors sign rotateSettler(${payout}) of RewardClaims ${facts.rewardClaims}`,
      gas,
    ]
  const sent = settler.transaction === null ? '' : `, named by ${settler.transaction}`
  return [`settler     the payout key${sent}`, gas]
}
