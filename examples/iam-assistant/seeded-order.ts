import { sha256Hex } from '../../domain/protocol/ids.ts'

/** An order that depends on the seed and the names alone: the same on every machine, chosen by nobody. */
export function seededOrder<T>(items: readonly T[], seed: string, name: (item: T) => string): T[] {
  return items
    .map(item => ({ item, key: sha256Hex(`${seed}\n${name(item)}`) }))
    .sort((left, right) => (left.key < right.key ? -1 : 1))
    .map(({ item }) => item)
}
