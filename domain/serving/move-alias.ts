import type { Log } from '../data/ports.ts'
import { OpenLedgerError } from '../errors.ts'
import type { Bytes32 } from '../protocol/hex.ts'
import type { Alias, ServedVersion } from './alias.ts'
import type { AliasBook } from './ports.ts'

/** Two releases of one alias may meet; each retry reads the one that won. */
const MAX_TRIES = 8

export type MoveAliasDeps = { readonly aliases: AliasBook; readonly log: Log }

/**
 * Points an alias to a version that is in service, and keeps the version before ready. The warrant is the
 * natural key: the same release again changes nothing.
 * @throws OpenLedgerError conflict when the name is another Datanet's; unavailable when too many moves meet
 */
export async function moveAlias(
  deps: MoveAliasDeps,
  input: { alias: string; datanetId: Bytes32; systemPrompt: string; to: ServedVersion },
): Promise<Alias> {
  for (let attempt = 0; attempt < MAX_TRIES; attempt++) {
    const before = await deps.aliases.get(input.alias)
    const done = before?.current.warrantId === input.to.warrantId
    if (before !== null && before.datanetId !== input.datanetId) throw taken(before)
    const after: Alias = done
      ? before
      : {
          alias: input.alias,
          datanetId: input.datanetId,
          current: input.to,
          previous: before?.current ?? null,
          systemPrompt: input.systemPrompt,
          retired: before?.previous?.component ?? null,
          generation: (before?.generation ?? 0) + 1,
        }
    if (!done && !(await deps.aliases.move(before, after))) continue
    await deps.log.append(leafOf(after))
    return after
  }
  throw new OpenLedgerError('unavailable', 'Too many releases of this alias at the same moment; try again')
}

function taken({ alias, datanetId }: Alias) {
  return new OpenLedgerError('conflict', 'This alias belongs to another Datanet', {
    expected: 'a name of its own for each model line',
    seen: `${alias} of ${datanetId}`,
  })
}

/** What the public log says of a move; the same move is the same leaf. */
function leafOf({ alias, datanetId, current, previous, generation }: Alias) {
  return {
    kind: 'alias-moved',
    schema: 1,
    alias,
    datanetId,
    version: current.version,
    previous: previous?.version ?? null,
    warrantId: current.warrantId,
    generation,
  }
}
