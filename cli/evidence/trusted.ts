import type { CallOutput, Client } from '../../api/client.ts'
import { type GenesisView, genesis as genesisView } from '../../api/schemas/governance.ts'
import { OpenLedgerError } from '../../domain/errors.ts'
import { type Report, readGenesis, type Trust } from '../../verify/index.ts'
import { readJson } from '../files.ts'
import { logProofOf } from './fetch-evidence.ts'

/** What a verification starts from, and where that came from, in words. */
export type Trusted = {
  readonly trust: Trust
  /** Of RewardClaims; undefined when nothing is trusted. */
  readonly rewardClaims?: string
  readonly said: string
  /** How leaf 0 of the log was found to say the same, where a deployment spoke for itself. */
  readonly genesis?: Report
}

/** A file is compared with nothing but itself. */
export const TRUST_NOTHING: Trusted = {
  trust: {},
  said: 'nothing: the file is compared with itself (--genesis FILE brings facts that you know)',
}

/** The file's facts are those of the entry 0 of the log; where files are read from is no part of them. */
const genesisFile = genesisView.omit({ logOrigin: true })
type GenesisFacts = Omit<GenesisView, 'logOrigin'>

/** From what `openledger genesis --json` printed once. @throws OpenLedgerError not-found, malformed */
export function trustOfFile(file: string): Trusted {
  const what = 'genesis facts: what `openledger --json genesis` printed, or entry 0 of the log'
  const outcome = genesisFile.safeParse(readJson(file, what))
  if (!outcome.success) {
    const [issue] = outcome.error.issues
    throw new OpenLedgerError('malformed', `${file} does not hold genesis facts`, {
      expected: what,
      seen: `${issue?.path.join('.') || 'the whole'}: ${issue?.message ?? 'another shape'}`,
    })
  }
  return { ...factsOf(outcome.data), said: `the genesis facts of ${file}` }
}

/**
 * From the deployment itself, whose log must begin with the same facts. Good to find damage and mistakes; that it
 * is the right deployment only a person can know. @throws ApiError; OpenLedgerError digest-mismatch
 */
export async function trustOfDeployment(client: Client): Promise<Trusted> {
  const facts = await client.call('getGenesis')
  const proof = await genesisProof(client, facts)
  if (proof === null)
    throw new OpenLedgerError('digest-mismatch', 'The log does not begin with the genesis facts', {
      expected: 'the facts of /v1/genesis as entry 0 of the log (openledger genesis --write)',
      seen: 'no such entry',
    })
  const known = { deploymentId: facts.deploymentId, logKey: facts.signers.logHead }
  const { report } = await readGenesis(proof, known)
  return {
    ...factsOf(facts),
    said: `the genesis facts that ${client.baseUrl} gives itself (--genesis FILE brings those that you know)`,
    genesis: {
      ...report,
      notChecked: ['that this is the deployment you mean: its genesis facts came from itself'],
    },
  }
}

/** The proof that these facts are in the log; null when they are not. */
export function genesisProof(
  client: Client,
  { logOrigin: _, ...facts }: GenesisView,
): Promise<CallOutput<'getLogProof'> | null> {
  return logProofOf(client, { kind: 'genesis', ...facts })
}

function factsOf(facts: GenesisFacts): Pick<Trusted, 'trust' | 'rewardClaims'> {
  const { chainId, gOpen, deploymentId, governors, signers } = facts
  return {
    trust: {
      genesis: { chainId, gOpen, deploymentId },
      governors,
      warrantSigner: signers.warrant,
      logKey: signers.logHead,
    },
    rewardClaims: facts.rewardClaims,
  }
}
