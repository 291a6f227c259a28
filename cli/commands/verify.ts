import type { Command } from 'commander'
import { type Client, createClient } from '../../api/client.ts'
import { type Report, verifyRecord } from '../../verify/index.ts'
import { count, id } from '../arguments.ts'
import { type ChainFacts, chainFacts } from '../evidence/chain-facts.ts'
import {
  type Against,
  checkBallots,
  checkPayout,
  checkVersion,
  checkWarrants,
  held,
} from '../evidence/check-evidence.ts'
import {
  type Evidence,
  readBallotsFile,
  readPayoutFile,
  readVersionFile,
  readWarrantFile,
} from '../evidence/evidence-file.ts'
import {
  ballotsEvidence,
  payoutEvidence,
  versionEvidence,
  warrantEvidence,
} from '../evidence/fetch-evidence.ts'
import { TRUST_NOTHING, type Trusted, trustOfDeployment, trustOfFile } from '../evidence/trusted.ts'
import { readJson, writeNew } from '../files.ts'
import { NotHeld, print } from '../output.ts'
import { loadProfile } from '../profile.ts'

type Options = { genesis?: string; rpc?: string; save?: string }

const WHAT_IS_TRUSTED = `
A FILE is checked offline: no deployment is asked. An ID is fetched from the deployment of the profile first.
Trusted are the genesis facts of --genesis FILE, which you got from somebody you believe:
  openledger --json genesis > genesis.json
Without it, an ID is compared with the genesis facts that the deployment gives itself, a FILE only with itself.
A chain is asked only where --rpc names one.
Exit code: 0 everything that was checked holds, 1 something does not.`

/** Checks what a deployment publishes with the independent verifier, fetched now or from files. */
export function verify(program: Command): void {
  const group = program
    .command('verify')
    .description('check votes, warrants, versions, records and payouts with the independent verifier')
    .addHelpText('after', WHAT_IS_TRUSTED)

  kind(
    group,
    'ballots <file-or-proposal>',
    'a vote: who may decide, who signed what, and what follows',
  ).action((subject: string, options: Options, command: Command) =>
    check(subject, options, command, {
      read: readBallotsFile,
      fetch: ballotsEvidence,
      check: checkBallots,
    }),
  )
  kind(group, 'warrant <file-or-proposal>', 'the warrants of a proposal, with the vote behind them').action(
    (subject: string, options: Options, command: Command) =>
      check(subject, options, command, {
        read: readWarrantFile,
        fetch: warrantEvidence,
        check: checkWarrants,
      }),
  )
  kind(group, 'version <file-or-version>', 'a version of a model: that a passed vote made it, and from what')
    .option('--weights <folder>', 'the merged weights that are served, to be hashed')
    .action((subject: string, options: Options & { weights?: string }, command: Command) =>
      check(subject, options, command, {
        read: readVersionFile,
        fetch: versionEvidence,
        check: (evidence, against) => checkVersion(evidence, against, options.weights),
      }),
    )
  kind(group, 'payout <file-or-datanet>', 'a payout: computed again from its scores, to the last unit')
    .option('--period <n>', 'with a Datanet: which period (default: the newest settled)', count)
    .action((subject: string, options: Options & { period?: number }, command: Command) =>
      check(subject, options, command, {
        read: readPayoutFile,
        fetch: (client, id) => payoutEvidence(client, id, options.period),
        check: checkPayout,
      }),
    )
  group
    .command('record <file>')
    .description('a record proof: that a record is, or is not, in a frozen dataset')
    .option('--genesis <file>', 'genesis facts to trust')
    .option('--dataset <id>', 'the frozen dataset that a proposal or a version names', id)
    .action(async (file: string, options: { genesis?: string; dataset?: string }, command: Command) => {
      const proof = readJson(file, 'a record proof')
      const trusted = options.genesis === undefined ? TRUST_NOTHING : trustOfFile(options.genesis)
      const { dataset } = options
      const expected = { ...trusted.trust, ...(dataset === undefined ? {} : { datasetId: dataset }) }
      tell(await held(() => verifyRecord(proof, expected)), trusted, command)
    })
}

function kind(group: Command, usage: string, description: string): Command {
  return group
    .command(usage)
    .description(description)
    .option('--genesis <file>', 'genesis facts to trust')
    .option('--rpc <url>', 'a chain that you trust, for powers, revenue and payout roots')
    .option('--save <file>', 'with an ID: keep what was fetched, to check it again offline')
}

/** From a file, or from the deployment of the profile. */
async function check<E extends Evidence>(
  subject: string,
  options: Options,
  command: Command,
  way: {
    read: (file: string) => E
    fetch: (client: Client, id: string) => Promise<E>
    check: (evidence: E, against: Against) => Promise<Report>
  },
): Promise<void> {
  const { genesis, rpc, save } = options
  const client = isId(subject) ? clientOf(command) : undefined
  if (client === undefined && save !== undefined)
    command.error('error: --save goes with an ID; a file is kept already')
  const evidence = client === undefined ? way.read(subject) : await way.fetch(client, subject.toLowerCase())
  if (save !== undefined) writeNew(save, `${JSON.stringify(evidence, null, 2)}\n`)
  const trusted =
    genesis !== undefined
      ? trustOfFile(genesis)
      : client === undefined
        ? TRUST_NOTHING
        : await trustOfDeployment(client)
  let chain: ChainFacts | undefined
  try {
    chain = rpc === undefined ? undefined : await chainFacts(rpc, trusted)
    tell(await way.check(evidence, { trusted, chain }), trusted, command)
  } finally {
    chain?.close()
  }
}

const isId = (subject: string) => /^0x[0-9a-f]{64}$/i.test(subject)

function clientOf(command: Command): Client {
  const { profile } = command.optsWithGlobals<{ profile: string }>()
  return createClient({ baseUrl: loadProfile(profile).baseUrl })
}

/** @throws NotHeld after printing the report, unless everything held */
function tell(report: Report, { said, genesis }: Trusted, command: Command): void {
  const ok = report.ok && genesis?.ok !== false
  const checks = [
    ...(genesis?.checks ?? []).map(one => ({ ...one, name: `trust/${one.name}` })),
    // What unpacks or decodes may throw without a word.
    ...report.checks.map(one => ({ ...one, detail: one.detail || 'it cannot be read' })),
  ]
  const notChecked = [...(genesis?.notChecked ?? []), ...report.notChecked]
  print(
    {
      json: { ok, trusted: said, checks, notChecked },
      lines: [
        `trusted: ${said}`,
        ...checks.map(one => `${one.ok ? 'ok  ' : 'FAIL'}  ${one.name}: ${one.detail}`),
        ...notChecked.map(one => `not checked: ${one}`),
        ok ? 'Everything that was checked holds.' : 'This does not hold: see FAIL above.',
      ],
    },
    command.optsWithGlobals<{ json: boolean }>().json,
  )
  if (!ok) throw new NotHeld()
}
