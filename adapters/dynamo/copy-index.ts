import { type DynamoDBDocumentClient, TransactWriteCommand } from '@aws-sdk/lib-dynamodb'
import type { CopyView, KeptRecord, NewRecord, RecordBook } from '../../domain/data/ports.ts'
import type { IntakeProgress, Submission } from '../../domain/data/submission.ts'
import type { Sha256Hex } from '../../domain/protocol/hex.ts'
import { batchGet } from './batch-get.ts'
import { accountKey, digits, pages, progressKey, refusalsKey } from './data-table.ts'
import { failedCondition } from './document-client.ts'

/**
 * The part of the data table by which copies are found; its keys are listed in `data-table.ts`. Each band and
 * digest is one item with all its records, so that two submissions with records alike always meet in an item:
 * the second transaction fails and looks again.
 */

/** An item is at most 400 kB, and this many records of one band are a template, not copies of each other. */
const MAX_RECORDS_PER_BAND = 256
/** Records compared in full with one new record; those that share most bands are the likeliest. */
const MAX_CANDIDATES = 64

type Item = Record<string, unknown>
/** `<sequence>:<index>`: a record's place in the Datanet. */
type Place = string
/** What a transaction must find unchanged. */
type Snapshot = { readonly bands: ReadonlyMap<string, readonly Place[]>; readonly accepted: number }

const RECORD = 'record#'
const recordKey = (datanetId: string, place: Place) => {
  const [sequence, index] = place.split(':').map(Number)
  return { pk: recordsPk(datanetId, sequence!), sk: `${RECORD}${digits(index!)}` }
}
const recordsPk = (datanetId: string, sequence: number) => `R#${datanetId}#${digits(sequence)}`
const digestKey = (datanetId: string, digest: string) => ({ pk: `D#${datanetId}#${digest}`, sk: 'digest' })
const bandKey = (datanetId: string, band: string) => ({ pk: `B#${datanetId}#${band}`, sk: 'band' })
const answerKey = (datanetId: string, answer: string) => ({ pk: `A#${datanetId}#${answer}`, sk: 'uses' })

export function recordBook(client: DynamoDBDocumentClient, table: string): RecordBook {
  const snapshots = new WeakMap<CopyView, Snapshot>()
  return {
    async look(submission, records) {
      const { datanetId, contributor } = submission.manifest
      const digests = distinct(records.flatMap(({ keys }) => [keys.exact, keys.normalized]))
      const bands = distinct(records.flatMap(({ keys }) => keys.bands))
      const answers = distinct(records.map(({ keys }) => keys.answer))
      const found = byKey(
        await batchGet(client, table, [
          ...digests.map(digest => digestKey(datanetId, digest)),
          ...bands.map(band => bandKey(datanetId, band)),
          ...answers.map(answer => answerKey(datanetId, answer)),
          accountKey(datanetId, contributor),
        ]),
      )
      const item = (key: { pk: string; sk: string }) => found.get(keyText(key))
      const placeOf = (digest: string) => item(digestKey(datanetId, digest))?.place as Place | undefined
      const placesOf = new Map(
        bands.map(band => [band, (item(bandKey(datanetId, band))?.places ?? []) as Place[]]),
      )
      const wanted = distinct([
        ...digests.flatMap(digest => placeOf(digest) ?? []),
        ...records.flatMap(({ keys }) => likeliest(placesOf, keys.bands)),
      ])
      const kept = new Map(
        (
          await batchGet(
            client,
            table,
            wanted.map(place => recordKey(datanetId, place)),
          )
        ).map(one => [one.place as Place, toKept(one)]),
      )
      const accepted = Number(item(accountKey(datanetId, contributor))?.accepted ?? 0)
      const view: CopyView = {
        first: digest => kept.get(placeOf(digest) ?? ''),
        candidates: own => likeliest(placesOf, own).flatMap(place => kept.get(place) ?? []),
        answerUses: answer => Number(item(answerKey(datanetId, answer))?.uses ?? 0),
        acceptedOfAccount: accepted,
      }
      snapshots.set(view, { bands: placesOf, accepted })
      return view
    },

    async keep(view, { submission, before, after, accepted, refusals, isCapped }) {
      const snapshot = snapshots.get(view) ?? { bands: new Map(), accepted: 0 }
      const { datanetId, contributor } = submission.manifest
      const firstRefusal = refusals[0]
      const items = [
        swapProgress(table, submission, before, after),
        ...(firstRefusal === undefined
          ? []
          : [
              {
                Put: {
                  TableName: table,
                  Item: { ...refusalsKey(submission.id, firstRefusal.line), refusals },
                },
              },
            ]),
        ...(accepted.length === 0
          ? []
          : [
              countAccount(
                table,
                accountKey(datanetId, contributor),
                accepted.length,
                isCapped ? snapshot : null,
              ),
            ]),
        ...accepted.flatMap(record => newRecord(table, submission, record)),
        ...bandPuts(table, submission, accepted, snapshot),
        ...answerUses(table, datanetId, accepted),
      ]
      try {
        await client.send(new TransactWriteCommand({ TransactItems: items }))
        return 'kept'
      } catch (error) {
        if (failedCondition(error) !== null) return 'changed'
        throw error
      }
    },

    async acceptedIndexes(submission) {
      const indexes: number[] = []
      const pk = recordsPk(submission.manifest.datanetId, submission.sequence)
      for await (const items of pages(client, table, pk, RECORD))
        indexes.push(...items.map(item => Number(String(item.sk).slice(RECORD.length))))
      return indexes
    },
  }
}

/** Places that share bands with a record, most shared first, then the earlier one. */
function likeliest(placesOf: ReadonlyMap<string, readonly Place[]>, bands: readonly string[]): Place[] {
  const shared = new Map<Place, number>()
  for (const band of bands) {
    for (const place of placesOf.get(band) ?? []) shared.set(place, (shared.get(place) ?? 0) + 1)
  }
  return [...shared]
    .sort(
      ([left, leftShared], [right, rightShared]) => rightShared - leftShared || comparePlaces(left, right),
    )
    .slice(0, MAX_CANDIDATES)
    .map(([place]) => place)
}

function comparePlaces(left: Place, right: Place): number {
  const [leftSequence, leftIndex] = left.split(':').map(Number)
  const [rightSequence, rightIndex] = right.split(':').map(Number)
  return leftSequence! - rightSequence! || leftIndex! - rightIndex!
}

function swapProgress(table: string, submission: Submission, before: IntakeProgress, after: IntakeProgress) {
  const isFirst = before.nextLine === 1
  return {
    Put: {
      TableName: table,
      Item: { ...progressKey(submission.id), ...after },
      ...(isFirst
        ? { ConditionExpression: 'attribute_not_exists(pk)' }
        : {
            ConditionExpression: 'nextLine = :before AND isDone = :no',
            ExpressionAttributeValues: { ':before': before.nextLine, ':no': false },
          }),
    },
  }
}

function countAccount(table: string, Key: Item, count: number, decidedBy: Snapshot | null) {
  const isNew = decidedBy?.accepted === 0
  const condition = isNew ? 'attribute_not_exists(accepted)' : 'accepted = :read'
  return {
    Update: {
      TableName: table,
      Key,
      UpdateExpression: 'ADD accepted :count',
      ...(decidedBy === null ? {} : { ConditionExpression: condition }),
      ExpressionAttributeValues: {
        ':count': count,
        ...(decidedBy === null || isNew ? {} : { ':read': decidedBy.accepted }),
      },
    },
  }
}

function newRecord(table: string, submission: Submission, { index, keys }: NewRecord) {
  const { datanetId } = submission.manifest
  const place = placeOf(submission, index)
  const { exact, normalized, answer, isShortAnswer, text } = keys
  const record = {
    ...recordKey(datanetId, place),
    place,
    submissionId: submission.id,
    exact,
    normalized,
    answer,
    isShortAnswer,
    text,
  }
  return [record, ...[exact, normalized].map(digest => ({ ...digestKey(datanetId, digest), place }))].map(
    Item => ({
      Put: { TableName: table, Item, ConditionExpression: 'attribute_not_exists(pk)' },
    }),
  )
}

/** One put a band, with all records of the batch in it, if the band is as it was read. */
function bandPuts(table: string, submission: Submission, accepted: readonly NewRecord[], snapshot: Snapshot) {
  const added = new Map<string, Place[]>()
  for (const { index, keys } of accepted) {
    for (const band of distinct(keys.bands)) {
      added.set(band, [...(added.get(band) ?? []), placeOf(submission, index)])
    }
  }
  return [...added].flatMap(([band, own]) => {
    const before = snapshot.bands.get(band) ?? []
    const places = [...before, ...own].slice(0, MAX_RECORDS_PER_BAND)
    // A full band finds its records still; what comes later is compared with them, not with what is left out.
    if (places.length === before.length) return []
    return [
      {
        Put: {
          TableName: table,
          Item: { ...bandKey(submission.manifest.datanetId, band), places },
          ...(before.length === 0
            ? { ConditionExpression: 'attribute_not_exists(pk)' }
            : {
                ConditionExpression: 'size(places) = :before',
                ExpressionAttributeValues: { ':before': before.length },
              }),
        },
      },
    ]
  })
}

function answerUses(table: string, datanetId: string, accepted: readonly NewRecord[]) {
  const uses = new Map<Sha256Hex, number>()
  for (const { keys } of accepted) uses.set(keys.answer, (uses.get(keys.answer) ?? 0) + 1)
  return [...uses].map(([answer, count]) => ({
    Update: {
      TableName: table,
      Key: answerKey(datanetId, answer),
      UpdateExpression: 'ADD uses :count',
      ExpressionAttributeValues: { ':count': count },
    },
  }))
}

const placeOf = (submission: Submission, index: number): Place => `${submission.sequence}:${index}`

function toKept(item: Item): KeptRecord {
  const { exact, normalized, answer, isShortAnswer, text } = item as unknown as KeptRecord['keys']
  const [sequence, index] = String(item.place).split(':').map(Number)
  return {
    submissionId: item.submissionId as KeptRecord['submissionId'],
    sequence: sequence!,
    index: index!,
    keys: { exact, normalized, answer, isShortAnswer, text },
  }
}

const distinct = <T>(values: readonly T[]) => [...new Set(values)]
const keyText = ({ pk, sk }: { pk: string; sk: string }) => `${pk}\n${sk}`
const byKey = (items: readonly Item[]) =>
  new Map(items.map(item => [keyText({ pk: item.pk as string, sk: item.sk as string }), item]))
