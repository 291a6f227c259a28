import { Contract, type HDNodeWallet, JsonRpcProvider, verifyTypedData, Wallet } from 'ethers'
import type { CastBallot } from '../api/schemas/governance.ts'
import type { Genesis } from '../domain/governance/genesis.ts'
import type { Proposal } from '../domain/governance/proposal.ts'
import { rulesDigest } from '../domain/governance/rules.ts'
import { type Bytes32, parseAddress, parseBytes32, parseHex } from '../domain/protocol/hex.ts'
import { documentId, keccak256Hex } from '../domain/protocol/ids.ts'
import {
  normalizeSignature,
  requireSigner,
  signTypedData,
  TYPED_DATA,
  typedDataDomain,
} from '../domain/protocol/typed-data.ts'
import { fundAccounts } from '../local/chain/deploy-contracts.ts'
import type { Stack } from '../local/stack.ts'
import { callRoute } from '../test/support/call-route.ts'
import { governanceStore } from '../test/support/governance-store.ts'
import { inTurns, type Row, secondsOf, spreadOf } from './measure.ts'
import { type Stage, until } from './stage.ts'

/**
 * Ballots per second through the handler of `castBallot`, beside the bare check of the same signatures. Every ballot
 * is a voter's first on its proposal, so its power is read from the chain.
 */

const VOTERS = 60
const REPEATS = 5
/** What one process has under way when calls come side by side. */
const WIDTH = 16
const POWER_WEI = 10n ** 18n
const VOTE_MS = 3_600_000

type SignedBallot = { readonly proposalId: Bytes32; readonly body: CastBallot }

export async function benchBallots(stage: Stage): Promise<Row[]> {
  Object.assign(process.env, await stage.environmentOf('governance/cast-ballot'))
  // Not before: the logger reads its level from the environment when it is made.
  const { handler } = await import('../functions/governance/cast-ballot.ts')
  const { deps } = await import('../functions/deps.ts')
  const genesis = deps.genesis()
  const voters = Array.from({ length: VOTERS }, () => Wallet.createRandom())
  await giveVotes(stage.stack, voters)
  const opensAt = Math.ceil(Date.now() / 1_000) * 1_000
  await until('A final block after the snapshot', 30, async () =>
    (await deps.token().finalizedBlock()).timestamp * 1_000 > opensAt ? true : undefined,
  )

  const cast = async ({ proposalId, body }: SignedBallot) => {
    const { status, body: answer } = await callRoute(handler, { params: { id: proposalId }, body })
    if (status !== 200 || answer.counted !== true || answer.receipt === null)
      throw new Error(`A ballot was not counted: ${status} ${JSON.stringify(answer)}`)
  }
  const perSecond = async (ballots: readonly SignedBallot[], width: number, work = cast) =>
    ballots.length / (await secondsOf(() => inTurns(ballots, width, work)))

  const live = { ...deps }
  const memory = memoryPorts(deps)
  const rates = { oneByOne: [], sideBySide: [], inMemory: [], bare: [], ethers: [] } as Record<
    'oneByOne' | 'sideBySide' | 'inMemory' | 'bare' | 'ethers',
    number[]
  >
  // Round 0 warms up: compiled code, open connections, known public keys.
  for (let round = 0; round <= REPEATS; round++) {
    const [first, second] = [2 * round, 2 * round + 1].map(at => aProposal(genesis, voters[at]!, opensAt))
    const [ballots, others] = await Promise.all([
      ballotsOn(genesis, first!, voters),
      ballotsOn(genesis, second!, voters),
    ])
    for (const proposal of [first!, second!]) await deps.proposals().add(proposal, opensAt + VOTE_MS)
    const measured = {
      bare: await perSecond(ballots, 1, async ballot => checkSignature(genesis, ballot)),
      ethers: await perSecond(ballots, 1, async ballot => checkByEthers(genesis, ballot)),
      oneByOne: await perSecond(ballots, 1),
      sideBySide: await perSecond(others, WIDTH),
      inMemory: 0,
    }
    Object.assign(deps, memory)
    await deps.proposals().add(first!, opensAt + VOTE_MS)
    measured.inMemory = await perSecond(ballots, 1)
    Object.assign(deps, live)
    if (round === 0) continue
    for (const [name, rate] of Object.entries(measured)) rates[name as keyof typeof rates].push(rate)
  }

  const bare = { what: 'bare signature check (`requireSigner`)', figure: spreadOf(rates.bare) }
  const row = (what: string, samples: number[], comparison = bare): Row => ({
    what,
    unit: 'per second',
    figure: spreadOf(samples),
    comparison,
  })
  return [
    row('ballots through the handler, one after the other', rates.oneByOne),
    row(`ballots through the handler, ${WIDTH} at a time`, rates.sideBySide),
    row('ballots through the handler, all ports in memory', rates.inMemory),
    row('bare signature check (`requireSigner`)', rates.bare, {
      what: 'the same by `ethers.verifyTypedData`',
      figure: spreadOf(rates.ethers),
    }),
  ]
}

type Deps = typeof import('../functions/deps.ts').deps

/** The handler's ports without a network, a table or a key service: what is left is our own code. */
function memoryPorts(deps: Deps): Partial<Deps> {
  const store = governanceStore()
  const key = Wallet.createRandom()
  const block = { number: 1, hash: parseBytes32(keccak256Hex('a block')), timestamp: 2 ** 40 }
  const token = { ...deps.token(), finalizedBlock: async () => block, pastVotes: async () => POWER_WEI }
  const receiptSigner = {
    address: async () => parseAddress(key.address),
    sign: async (digest: Bytes32) => normalizeSignature(key.signingKey.sign(digest).serialized),
  }
  return {
    proposals: () => store.proposals,
    ballots: () => store.ballots,
    powers: () => store.powers,
    token: () => token,
    receiptSigner: () => receiptSigner,
  }
}

function checkSignature(genesis: Genesis, { proposalId, body }: SignedBallot) {
  const voter = parseAddress(body.voter)
  requireSigner(genesis, 'Ballot', messageOf(proposalId, body), body.signature, voter)
}

function checkByEthers(genesis: Genesis, { proposalId, body }: SignedBallot) {
  const types = { Ballot: TYPED_DATA.Ballot.map(field => ({ ...field })) }
  const domain = { ...typedDataDomain(genesis) }
  const signer = verifyTypedData(domain, types, messageOf(proposalId, body), body.signature)
  if (parseAddress(signer) !== parseAddress(body.voter)) throw new Error('Another signer')
}

function messageOf(proposalId: Bytes32, body: Omit<CastBallot, 'signature'>) {
  const { support, nonce, reason } = body
  return { proposalId, voter: parseAddress(body.voter), support, nonce, reasonHash: keccak256Hex(reason) }
}

/** A proposal under vote as the table holds it after its reviews. */
function aProposal(genesis: Genesis, proposer: { address: string }, opensAt: number): Proposal {
  const document: Proposal['document'] = {
    schema: 1,
    deploymentId: genesis.deploymentId,
    proposer: parseAddress(proposer.address),
    nonce: 1,
    title: 'A proposal',
    summary: 'Nothing happens when it passes',
    rules: rulesDigest(genesis.rules),
    opensAt: new Date(opensAt).toISOString(),
    closesAt: new Date(opensAt + VOTE_MS).toISOString(),
    action: { type: 'text', input: {}, budgetUsdMicro: 0 },
  }
  return {
    id: documentId(document),
    document,
    rules: genesis.rules,
    signature: parseHex('0x'),
    submittedAt: opensAt,
    admits: genesis.governors.threshold,
    rejects: 0,
    admittedAt: opensAt,
    rejectedAt: null,
    snapshot: null,
    result: null,
    executedAt: null,
    outcome: null,
  }
}

function ballotsOn(genesis: Genesis, proposal: Proposal, voters: readonly HDNodeWallet[]) {
  return Promise.all(
    voters.map(async (voter, at): Promise<SignedBallot> => {
      const support = (at % 3) as CastBallot['support']
      const unsigned = { voter: parseAddress(voter.address), support, nonce: 1, reason: '' }
      const message = messageOf(proposal.id, unsigned)
      const signature = await signTypedData(voter, genesis, 'Ballot', message)
      return { proposalId: proposal.id, body: { ...unsigned, signature } }
    }),
  )
}

/** Each voter wraps one OPEN into gOPEN and delegates to itself. */
async function giveVotes(stack: Stack, voters: readonly HDNodeWallet[]) {
  const { openToken, gOpen } = stack.contracts
  await fundAccounts(
    { rpcUrl: stack.rpcUrl, openToken },
    voters.map(({ address }) => ({ address, openWei: POWER_WEI })),
  )
  const chain = new JsonRpcProvider(stack.rpcUrl, stack.chainId, {
    staticNetwork: true,
    pollingInterval: 200,
  })
  const gasLimit = 400_000n
  try {
    await Promise.all(
      voters.map(async voter => {
        const wallet = voter.connect(chain)
        const open = new Contract(openToken, ['function approve(address, uint256)'], wallet)
        const votes = new Contract(
          gOpen,
          ['function depositFor(address, uint256)', 'function delegate(address)'],
          wallet,
        )
        await open.getFunction('approve')(gOpen, POWER_WEI, { nonce: 0, gasLimit })
        await votes.getFunction('depositFor')(voter.address, POWER_WEI, { nonce: 1, gasLimit })
        const last = await votes.getFunction('delegate')(voter.address, { nonce: 2, gasLimit })
        await last.wait()
      }),
    )
  } finally {
    chain.destroy()
  }
}
