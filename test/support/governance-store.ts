import type {
  BallotBook,
  PowerCache,
  ProposalBook,
  StoredWarrant,
  WarrantBook,
} from '../../domain/governance/ports.ts'
import {
  type Ballot,
  emptyTally,
  type Proposal,
  type Review,
  type Tally,
} from '../../domain/governance/proposal.ts'

/** The governance ports in memory, with the same conditions as the table; each call yields once, as a network would. */
const SHARDS = 4

type Gate = {
  tally: { againstWei: bigint; forWei: bigint; abstainWei: bigint }
  voters: number
  items: number
  shutAt: number | null
}

export function governanceStore() {
  const proposals = new Map<string, Proposal>()
  const live = new Map<string, number>()
  const reviews = new Map<string, Review[]>()
  const ballots = new Map<string, Ballot>()
  const items = new Map<string, Ballot>()
  const equivocations: Ballot[] = []
  const gates = new Map<string, Gate>()
  const powers = new Map<string, bigint>()
  const warrants = new Map<string, StoredWarrant>()

  const shardOf = (voter: string) => Number.parseInt(voter.slice(-2), 16) % SHARDS
  const gateOf = (id: string, shard: number): Gate => {
    const key = `${id}#${shard}`
    const gate = gates.get(key) ?? { tally: { ...emptyTally }, voters: 0, items: 0, shutAt: null }
    gates.set(key, gate)
    return gate
  }
  const field = { 0: 'againstWei', 1: 'forWei', 2: 'abstainWei' } as const
  const later = <T>(value: T) => new Promise<T>(done => setImmediate(() => done(value)))

  const proposalBook: ProposalBook = {
    async add(proposal, liveUntilMs) {
      await later(null)
      if (proposals.has(proposal.id)) return 'exists'
      const until = live.get(proposal.document.proposer)
      if (until !== undefined && until >= proposal.submittedAt) return 'another-is-live'
      live.set(proposal.document.proposer, liveUntilMs)
      proposals.set(proposal.id, proposal)
      return 'added'
    },
    get: id => later(proposals.get(id) ?? null),
    list: () => later({ items: [...proposals.values()], cursor: null }),
    reviews: id => later(reviews.get(id) ?? []),
    async addReview(before, review, after) {
      await later(null)
      const known = reviews.get(before.id) ?? []
      if (known.some(one => one.governor === review.governor)) return 'exists'
      const now = proposals.get(before.id)
      if (now === undefined || now.admits !== before.admits || now.rejects !== before.rejects)
        return 'changed'
      reviews.set(before.id, [...known, review])
      proposals.set(before.id, { ...now, ...after })
      return 'added'
    },
    async recordSnapshot(id, block) {
      await later(null)
      const proposal = proposals.get(id)
      if (proposal === undefined) throw new Error('no proposal')
      proposals.set(id, { ...proposal, snapshot: proposal.snapshot ?? block })
      return proposal.snapshot ?? block
    },
    async recordResult(id, result) {
      await later(null)
      const proposal = proposals.get(id)
      if (proposal === undefined) throw new Error('no proposal')
      proposals.set(id, { ...proposal, result: proposal.result ?? result })
      return proposal.result ?? result
    },
    async recordExecuted(id, executedAt, outcome) {
      await later(null)
      const proposal = proposals.get(id)
      if (proposal !== undefined && proposal.executedAt === null)
        proposals.set(id, { ...proposal, executedAt, outcome })
    },
  }

  const ballotBook: BallotBook = {
    current: (id, voter) => later(ballots.get(`${id}#${voter}`) ?? null),
    item: (id, voter, nonce) => later(items.get(`${id}#${voter}#${nonce}`) ?? null),
    async replace(id, ballot, previous) {
      await later(null)
      const key = `${id}#${ballot.voter}`
      if (ballots.get(key)?.nonce !== previous?.nonce) return 'changed'
      const gate = gateOf(id, shardOf(ballot.voter))
      if (gate.shutAt !== null) return 'gate-shut'
      if (items.has(`${key}#${ballot.nonce}`)) return 'exists'
      ballots.set(key, ballot)
      items.set(`${key}#${ballot.nonce}`, ballot)
      if (previous === null) gate.voters += 1
      else gate.tally[field[previous.support]] -= previous.powerWei
      gate.tally[field[ballot.support]] += ballot.powerWei
      gate.items += 1
      return 'counted'
    },
    async keepSuperseded(id, ballot) {
      await later(null)
      const gate = gateOf(id, shardOf(ballot.voter))
      if (gate.shutAt !== null) return 'gate-shut'
      const key = `${id}#${ballot.voter}#${ballot.nonce}`
      if (items.has(key)) return 'exists'
      items.set(key, ballot)
      gate.items += 1
      return 'kept'
    },
    async recordEquivocation(_id, ballot) {
      equivocations.push(ballot)
    },
    gates: id =>
      later(
        Array.from({ length: SHARDS }, (_, shard) => {
          const { tally, voters, items: count, shutAt } = gateOf(id, shard)
          return { shard, tally: { ...tally } satisfies Tally, voters, items: count, shutAt }
        }),
      ),
    async shutGate(id, shard, shutAt) {
      await later(null)
      const gate = gateOf(id, shard)
      gate.shutAt ??= shutAt
    },
    items: (id, shard) =>
      later(
        [...items]
          .filter(([key, ballot]) => key.startsWith(`${id}#`) && shardOf(ballot.voter) === shard)
          .map(([, ballot]) => ballot),
      ),
  }

  const powerCache: PowerCache = {
    get: (id, voter) => later(powers.get(`${id}#${voter}`) ?? null),
    async put(id, voter, powerWei) {
      powers.set(`${id}#${voter}`, powerWei)
    },
  }

  const warrantKey = (proposalId: string, action: string) => `${proposalId}#${action}`
  const warrantBook: WarrantBook = {
    async keep(warrant) {
      await later(null)
      const key = warrantKey(warrant.document.proposalId, warrant.document.action)
      const kept = warrants.get(key) ?? warrant
      warrants.set(key, kept)
      return kept
    },
    get: (proposalId, action) => later(warrants.get(warrantKey(proposalId, action)) ?? null),
    list: proposalId => later([...warrants.values()].filter(one => one.document.proposalId === proposalId)),
    async use(proposalId, action, user, attempt) {
      await later(null)
      const key = warrantKey(proposalId, action)
      const warrant = warrants.get(key)
      if (warrant === undefined || (warrant.usedBy !== null && warrant.usedBy !== user)) return false
      warrants.set(key, { ...warrant, usedBy: user, attempts: attempt })
      return true
    },
    async succeed(proposalId, action, user) {
      const key = warrantKey(proposalId, action)
      const warrant = warrants.get(key)
      if (warrant?.usedBy === user) warrants.set(key, { ...warrant, succeeded: true })
    },
  }

  return {
    proposals: proposalBook,
    ballots: ballotBook,
    powers: powerCache,
    warrants: warrantBook,
    equivocations,
    gateOf,
  }
}
