/**
 * From pairs of answers to the tasks of validators. Everything is drawn from one seed, so that the draw can
 * be repeated and checked once the seed is published; until then it must be unknown to validators.
 *
 * - Each pair is judged by `judgmentsPerPair` different validators, loads differing by at most one.
 * - Each validator also gets gold pairs, in the same form, at places drawn among the others.
 * - Sides: half of each validator's tasks show `a` first, drawn at random, so that always picking the first
 *   is worth nothing and a bias toward one side can be measured.
 */
import { OpenLedgerError } from '../errors.ts'
import type { Address, Sha256Hex } from '../protocol/hex.ts'
import { documentDigest, sha256Hex } from '../protocol/ids.ts'
import type { Side } from './verdicts.ts'

export type AssignmentRules = {
  readonly roundId: string
  readonly seed: string
  readonly judgmentsPerPair: number
  /** Gold pairs for each validator; at most as many as there are. */
  readonly goldPerValidator: number
}

export type JudgmentTask = {
  /** SHA-256 of the canonical JSON of round, pair and validator; says nothing about gold or sides. */
  readonly taskId: Sha256Hex
  readonly validator: Address
  readonly pairId: string
  readonly isGold: boolean
  /** The answer that is shown first. */
  readonly shownFirst: Side
  /** Place among the validator's tasks, from 0. */
  readonly position: number
}

function drawOrder<T>(items: readonly T[], seed: string, name: (item: T) => string): T[] {
  return items
    .map(item => ({ item, key: sha256Hex(`${seed}\n${name(item)}`) }))
    .sort((left, right) => (left.key < right.key ? -1 : left.key > right.key ? 1 : 0))
    .map(({ item }) => item)
}

function requireDistinct(what: string, names: readonly string[]): void {
  if (new Set(names).size !== names.length)
    throw new OpenLedgerError('malformed', `the same ${what} twice`, { expected: `different ${what}s` })
}

/**
 * The tasks of a round, by validator (sorted) and position.
 * @param mayJudge false for a validator who must not see a pair, for instance whose record it came from
 * @throws OpenLedgerError malformed when a pair has fewer than `judgmentsPerPair` validators, or ids repeat
 */
export function assignTasks(
  pairIds: readonly string[],
  goldPairIds: readonly string[],
  validators: readonly Address[],
  rules: AssignmentRules,
  mayJudge: (validator: Address, pairId: string) => boolean = () => true,
): JudgmentTask[] {
  requireDistinct('pair', [...pairIds, ...goldPairIds])
  requireDistinct('validator', validators)
  const { seed, roundId, judgmentsPerPair, goldPerValidator } = rules
  const pairsOf = new Map(validators.map(validator => [validator, [] as string[]]))

  for (const pairId of drawOrder(pairIds, `${seed}\npairs`, id => id)) {
    // The least loaded first; the draw decides between equals, so that nobody can place himself beside a friend.
    const eligible = drawOrder(
      validators.filter(validator => mayJudge(validator, pairId)),
      `${seed}\n${pairId}`,
      validator => validator,
    ).sort((left, right) => pairsOf.get(left)!.length - pairsOf.get(right)!.length)
    if (eligible.length < judgmentsPerPair)
      throw new OpenLedgerError('malformed', 'too few validators may judge a pair', {
        expected: `${judgmentsPerPair} for each pair`,
        seen: `${eligible.length} for pair ${pairId}`,
      })
    for (const validator of eligible.slice(0, judgmentsPerPair)) pairsOf.get(validator)!.push(pairId)
  }

  return [...pairsOf]
    .sort(([left], [right]) => (left < right ? -1 : 1))
    .flatMap(([validator, own]) => {
      const gold = drawOrder(
        goldPairIds.filter(pairId => mayJudge(validator, pairId)),
        `${seed}\ngold\n${validator}`,
        id => id,
      ).slice(0, goldPerValidator)
      const mixed = drawOrder([...own, ...gold], `${seed}\norder\n${validator}`, id => id)
      const isGold = new Set(gold)
      // Gold and others are halved apart, so that neither half is told by its side.
      const sides = new Map(
        [own, gold].flatMap(part => {
          const drawn = drawOrder(part, `${seed}\nsides\n${validator}`, id => id)
          const oddSide = Number.parseInt(sha256Hex(`${seed}\nodd\n${validator}\n${part.length}`)[0]!, 16) % 2
          return drawn.map((pairId, at): [string, Side] => [pairId, at % 2 === oddSide ? 'a' : 'b'])
        }),
      )
      return mixed.map((pairId, position) => ({
        taskId: documentDigest({ pairId, roundId, validator }),
        validator,
        pairId,
        isGold: isGold.has(pairId),
        shownFirst: sides.get(pairId)!,
        position,
      }))
    })
}
