import fc from 'fast-check'
import {
  type AcceptedRecord,
  type FreezeRules,
  freezeDataset,
  removeRevoked,
  SPLIT_BY_CONTRIBUTOR_FROM,
  UNVETTED_RULES,
} from '../../domain/data/freeze-dataset.ts'
import type { Address, Sha256Hex } from '../../domain/protocol/hex.ts'
import { sha256Hex } from '../../domain/protocol/ids.ts'
import { datasetPart } from '../../domain/protocol/record-hash.ts'
import { proveRuns } from '../support/prove-runs.ts'

const account = (number: number) => `0x${number.toString(16).padStart(40, '0')}` as Address

function aRecord(id: number, changes: Partial<AcceptedRecord> = {}): AcceptedRecord {
  return {
    recordHash: sha256Hex(`record ${id}`),
    contributor: account(id % 4),
    group: `group ${id % 7}`,
    normalizedKey: `key ${id}`,
    submission: `submission ${id % 4}`,
    isVetted: true,
    ...changes,
  }
}

const RULES: FreezeRules = { seed: 'a seed', devSharePpm: 200_000, ...UNVETTED_RULES }

const someRecords = fc
  .tuple(
    fc.integer({ min: 1, max: 16 }),
    fc.integer({ min: 1, max: 12 }),
    fc.array(fc.tuple(fc.nat(15), fc.nat(11), fc.nat(80), fc.boolean()), { maxLength: 120 }),
  )
  .map(([contributors, groups, rows]) =>
    rows.map(([contributor, group, key, isVetted], id) =>
      aRecord(id, {
        contributor: account(contributor % contributors),
        group: `group ${group % groups}`,
        normalizedKey: key < 40 ? `key ${key}` : `key of ${id}`,
        // Vetting is a property of the account.
        isVetted: contributor % contributors !== 1 || isVetted,
      }),
    ),
  )
const someRules = fc.record({
  seed: fc.string(),
  devSharePpm: fc.integer({ min: 0, max: 500_000 }),
  maxRecordsPerUnvettedAccount: fc.nat(30),
  maxUnvettedSharePpm: fc.integer({ min: 0, max: 1_000_000 }),
})

const valuesIn = (
  records: readonly AcceptedRecord[],
  part: { hashes: readonly string[] },
  field: 'contributor' | 'group' | 'normalizedKey',
) => {
  const hashes = new Set(part.hashes)
  return new Set(records.filter(record => hashes.has(record.recordHash)).map(record => record[field]))
}

describe('a frozen dataset', () => {
  it('holds every accepted record exactly once: in train, in dev, or left out with a reason', () => {
    fc.assert(
      fc.property(someRecords, someRules, (records, rules) => {
        const { train, dev, leftOut } = freezeDataset(records, rules)
        const all = [...train.hashes, ...dev.hashes, ...leftOut.map(({ recordHash }) => recordHash)]
        expect(all.sort()).toEqual(records.map(({ recordHash }) => recordHash).sort())
      }),
      proveRuns(),
    )
  })

  it('is the same for the same records in any order', () => {
    fc.assert(
      fc.property(
        someRecords.chain(records =>
          fc.tuple(fc.constant(records), fc.shuffledSubarray(records, { minLength: records.length })),
        ),
        someRules,
        ([records, shuffled], rules) => {
          const facts = ({ node: _train, ...train }: ReturnType<typeof freezeDataset>['train']) => train
          const [one, other] = [freezeDataset(records, rules), freezeDataset(shuffled, rules)]
          expect({ ...other, train: facts(other.train), dev: facts(other.dev) }).toEqual({
            ...one,
            train: facts(one.train),
            dev: facts(one.dev),
          })
        },
      ),
      proveRuns(),
    )
  })

  it('never has a key, nor a unit of its split, in both parts, and dev within its share', () => {
    fc.assert(
      fc.property(someRecords, someRules, (records, rules) => {
        const { train, dev, splitBy } = freezeDataset(records, rules)
        const isShared = (field: 'contributor' | 'group' | 'normalizedKey') =>
          [...valuesIn(records, train, field)].some(value => valuesIn(records, dev, field).has(value))
        expect(isShared('normalizedKey')).toBe(false)
        if (splitBy === 'contributor' || splitBy === 'group') expect(isShared(splitBy)).toBe(false)
        expect(splitBy === 'none').toBe(dev.hashes.length === 0)
        const all = train.hashes.length + dev.hashes.length
        expect(dev.hashes.length * 1_000_000).toBeLessThanOrEqual(all * rules.devSharePpm)
      }),
      proveRuns(),
    )
  })

  it('takes no more from unvetted accounts than the caps say, and all that they allow', () => {
    fc.assert(
      fc.property(someRecords, someRules, (records, rules) => {
        const { leftOut } = freezeDataset(records, rules)
        const out = new Map(leftOut.map(({ recordHash, reason }) => [recordHash, reason]))
        const unvetted = records.filter(record => !record.isVetted)
        const kept = unvetted.filter(record => !out.has(record.recordHash))
        const keptInAll = records.length - leftOut.length
        expect(kept.length * 1_000_000).toBeLessThanOrEqual(keptInAll * rules.maxUnvettedSharePpm)
        const perAccount = Map.groupBy(kept, record => record.contributor)
        for (const own of perAccount.values())
          expect(own.length).toBeLessThanOrEqual(rules.maxRecordsPerUnvettedAccount)
        for (const record of records) if (record.isVetted) expect(out.has(record.recordHash)).toBe(false)
        if ([...out.values()].includes('unvetted-share-cap'))
          expect((kept.length + 1) * 1_000_000).toBeGreaterThan((keptInAll + 1) * rules.maxUnvettedSharePpm)
      }),
      proveRuns(),
    )
  })

  it('keeps 25 records of a fresh account, and one in twenty from all of them together', () => {
    const vetted = Array.from({ length: 950 }, (_, id) => aRecord(id))
    const flood = Array.from({ length: 400 }, (_, at) =>
      aRecord(10_000 + at, { contributor: account(1_000 + Math.floor(at / 100)), isVetted: false }),
    )
    const { train, dev, leftOut } = freezeDataset([...flood, ...vetted], RULES)
    expect(train.hashes.length + dev.hashes.length).toBe(1_000)
    expect(Object.groupBy(leftOut, ({ reason }) => reason)).toMatchObject({
      'unvetted-account-cap': { length: 300 },
      'unvetted-share-cap': { length: 50 },
    })
  })

  it('is split by contributor from ten contributors up, and by group below', () => {
    const from = (contributors: number) =>
      freezeDataset(
        Array.from({ length: 200 }, (_, id) => aRecord(id, { contributor: account(id % contributors) })),
        RULES,
      ).splitBy
    expect(from(SPLIT_BY_CONTRIBUTOR_FROM)).toBe('contributor')
    expect(from(SPLIT_BY_CONTRIBUTOR_FROM - 1)).toBe('group')
  })

  it('fills dev to about its share where units are small', () => {
    const records = Array.from({ length: 1_000 }, (_, id) => aRecord(id, { group: `group ${id % 100}` }))
    expect(freezeDataset(records, RULES).dev.hashes).toHaveLength(200)
  })

  it('has another dev part under another seed', () => {
    const records = Array.from({ length: 300 }, (_, id) => aRecord(id, { group: `group ${id % 60}` }))
    const [one, other] = ['one', 'other'].map(seed => freezeDataset(records, { ...RULES, seed }))
    expect(one!.dev.root).not.toBe(other!.dev.root)
    expect(one!.trainOrder).not.toEqual(other!.trainOrder)
  })

  it('has the roots of its sorted hashes, and an order for training that is not the sorted one', () => {
    const records = Array.from({ length: 100 }, (_, id) => aRecord(id))
    const { train, trainOrder } = freezeDataset(records, RULES)
    expect(train.root).toBe(datasetPart(train.hashes).root)
    expect(train.hashes).toEqual([...train.hashes].sort())
    expect(trainOrder).not.toEqual(train.hashes)
    expect([...trainOrder].sort()).toEqual(train.hashes)
  })

  it('refuses a record that is listed twice, and rules out of range', () => {
    expect(() => freezeDataset([aRecord(1), aRecord(1)], RULES)).toThrow(
      expect.objectContaining({ code: 'malformed' }),
    )
    for (const changes of [
      { devSharePpm: -1 },
      { devSharePpm: 0.5 },
      { maxUnvettedSharePpm: 1_000_001 },
      { maxRecordsPerUnvettedAccount: -1 },
    ])
      expect(() => freezeDataset([aRecord(1)], { ...RULES, ...changes })).toThrow(
        expect.objectContaining({ code: 'malformed' }),
      )
  })
})

describe('a run on a frozen dataset', () => {
  const hashes = Array.from({ length: 200 }, (_, id) => sha256Hex(`record ${id}`))

  it('leaves out what was revoked since, keeps the order of the rest, and lists what is gone', () => {
    fc.assert(
      fc.property(fc.subarray(hashes), fc.subarray(hashes), (trainOrder, revoked) => {
        const { order, removed, removedPpm } = removeRevoked({ trainOrder }, new Set(revoked), 1_000_000)
        expect(order).toEqual(trainOrder.filter(hash => !revoked.includes(hash)))
        expect([...order, ...removed].sort()).toEqual([...trainOrder].sort())
        expect(removedPpm * trainOrder.length).toBeGreaterThanOrEqual(removed.length * 1_000_000)
      }),
      proveRuns(),
    )
  })

  it('fails when more is gone than the vote allowed, and not when exactly that is', () => {
    const revoked = new Set<Sha256Hex>(hashes.slice(0, 20))
    expect(removeRevoked({ trainOrder: hashes }, revoked, 100_000).removed).toHaveLength(20)
    expect(() => removeRevoked({ trainOrder: hashes }, revoked, 99_999)).toThrow(
      expect.objectContaining({ code: 'dataset-changed' }),
    )
  })
})
