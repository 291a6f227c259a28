import { Wallet } from 'ethers'
import type { Action, ProposalDocument } from '../../api/schemas/governance.ts'
import { castBallot } from '../../domain/governance/cast-ballot.ts'
import type { Genesis } from '../../domain/governance/genesis.ts'
import type { DigestSigner, VotingToken } from '../../domain/governance/ports.ts'
import type { SnapshotBlock } from '../../domain/governance/proposal.ts'
import { rulePresets, rulesDigest } from '../../domain/governance/rules.ts'
import { submitProposal } from '../../domain/governance/submit-proposal.ts'
import { submitReview } from '../../domain/governance/submit-review.ts'
import { type Address, type Bytes32, parseAddress, parseBytes32 } from '../../domain/protocol/hex.ts'
import { documentId, keccak256Hex } from '../../domain/protocol/ids.ts'
import { normalizeSignature, signTypedData } from '../../domain/protocol/typed-data.ts'
import { governanceStore } from './governance-store.ts'

/** 2026-01-01T00:00:00Z, a whole second. */
export const START = Date.parse('2026-01-01T00:00:00.000Z')
export const GOPEN = 10n ** 18n

export function walletOf(name: string): Wallet {
  return new Wallet(keccak256Hex(`test wallet ${name}`))
}
export const addressOf = (wallet: Wallet): Address => parseAddress(wallet.address)

/** A signer with a key in memory where the deployment has KMS. */
export function memorySigner(name: string): DigestSigner {
  const wallet = walletOf(name)
  return {
    address: async () => addressOf(wallet),
    sign: async digest => normalizeSignature(wallet.signingKey.sign(digest).serialized),
  }
}

/** A community with the rehearsal rules, three governors (two needed) and voters of given power. */
export function aStage(
  powersWei: Readonly<Record<string, bigint>> = {
    alice: 600n * GOPEN,
    bob: 300n * GOPEN,
    carol: 100n * GOPEN,
  },
) {
  const governors = ['governor-1', 'governor-2', 'governor-3'].map(walletOf)
  const genesis: Genesis = {
    deploymentId: parseBytes32(keccak256Hex('a deployment')),
    stage: 'test',
    chainId: 31337,
    gOpen: parseAddress('0x00000000000000000000000000000000000000aa'),
    openToken: parseAddress('0x00000000000000000000000000000000000000bb'),
    rewardClaims: parseAddress('0x00000000000000000000000000000000000000cc'),
    governors: { addresses: governors.map(addressOf), threshold: 2 },
    rules: rulePresets.rehearsal,
    rehearsal: true,
  }
  const clock = { now: START }
  const store = governanceStore()
  const powers = new Map(Object.entries(powersWei).map(([name, wei]) => [addressOf(walletOf(name)), wei]))
  const block = (): SnapshotBlock => ({
    number: Math.floor(clock.now / 1_000),
    hash: keccak256Hex(String(clock.now)),
    timestamp: Math.floor(clock.now / 1_000),
  })
  const token: VotingToken = {
    finalizedBlock: async () => block(),
    pastVotes: async voter => powers.get(voter) ?? 0n,
    pastTotalSupply: async () => 1_000n * GOPEN,
    votesNow: async address => ({
      votesWei: powers.get(address) ?? 0n,
      balanceWei: powers.get(address) ?? 0n,
      delegate: null,
      block: block(),
    }),
  }
  const files = new Map<string, Uint8Array>()
  const scheduled: string[] = []
  const leaves: { kind: string }[] = []
  const deps = {
    genesis,
    ...store,
    token,
    schedule: {
      at: async (id: string) => {
        scheduled.push(id)
      },
    },
    log: { append: async (leaf: { kind: string }) => ({ index: leaves.push(leaf) - 1 }) },
    files: {
      put: async (key: string, bytes: Uint8Array) => {
        files.set(key, bytes)
      },
      get: async (key: string) => files.get(key) ?? null,
    },
  }

  const { rules } = genesis
  const opensAfter = (rules.reviewSeconds + rules.votingDelaySeconds) * 1_000
  const documentBy = (
    proposer: string,
    action: Action,
    change: Partial<ProposalDocument> = {},
  ): ProposalDocument => ({
    schema: 1,
    deploymentId: genesis.deploymentId,
    proposer: addressOf(walletOf(proposer)),
    nonce: clock.now,
    title: 'A proposal',
    summary: 'What it is about',
    rules: rulesDigest(rules),
    opensAt: new Date(clock.now + opensAfter).toISOString(),
    closesAt: new Date(clock.now + opensAfter + rules.votingPeriodSeconds * 1_000).toISOString(),
    action,
    ...change,
  })

  const propose = async (
    proposer: string,
    action: Action = { type: 'text', input: {}, budgetUsdMicro: 0 },
    change: Partial<ProposalDocument> = {},
  ) => {
    const document = documentBy(proposer, action, change)
    const message = {
      proposalId: documentId(document),
      proposer: parseAddress(document.proposer),
      nonce: document.nonce,
    }
    const signature = await signTypedData(walletOf(proposer), genesis, 'Proposal', message)
    return submitProposal(deps, { document, signature, receivedAt: clock.now })
  }

  const review = async (proposalId: Bytes32, governor: string, decision: 'admit' | 'reject' = 'admit') => {
    const wallet = walletOf(governor)
    const message = {
      proposalId,
      governor: addressOf(wallet),
      decision: decision === 'admit' ? 1 : 0,
      reasonHash: keccak256Hex('read it'),
      nonce: 1,
    }
    const signature = await signTypedData(wallet, genesis, 'Review', message)
    return submitReview(deps, {
      proposalId,
      governor: wallet.address.toLowerCase(),
      decision,
      reason: 'read it',
      nonce: 1,
      signature,
      receivedAt: clock.now,
    })
  }

  const ballotOf = async (
    proposalId: Bytes32,
    voter: string,
    support: 0 | 1 | 2,
    nonce: number,
    reason = '',
  ) => {
    const wallet = walletOf(voter)
    const message = { proposalId, voter: addressOf(wallet), support, nonce, reasonHash: keccak256Hex(reason) }
    const signature = await signTypedData(wallet, genesis, 'Ballot', message)
    return { proposalId, voter: addressOf(wallet), support, nonce, reason, signature }
  }
  const vote = async (proposalId: Bytes32, voter: string, support: 0 | 1 | 2, nonce = 1, reason = '') =>
    castBallot(deps, {
      ...(await ballotOf(proposalId, voter, support, nonce, reason)),
      receivedAt: clock.now,
    })

  /** A proposal that two governors admitted, with the clock just after its snapshot. */
  const openVote = async (proposer = 'alice', action?: Action) => {
    const proposal = await propose(proposer, action)
    await review(proposal.id, 'governor-1')
    await review(proposal.id, 'governor-2')
    clock.now = Date.parse(proposal.document.opensAt) + 1_000
    return proposal
  }
  const closes = (proposal: { document: ProposalDocument }) => {
    clock.now = Date.parse(proposal.document.closesAt) + 1_000
  }
  return {
    deps,
    genesis,
    clock,
    files,
    leaves,
    scheduled,
    powers,
    documentBy,
    propose,
    review,
    ballotOf,
    vote,
    openVote,
    closes,
  }
}
