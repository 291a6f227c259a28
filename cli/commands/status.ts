import type { Command } from 'commander'
import { contextOf } from '../context.ts'
import { open } from '../output.ts'

/** What is going on: proposals, Datanets, runs, open rounds and served models. */
export function status(program: Command): void {
  program
    .command('status')
    .description('proposals, Datanets, runs, open rounds and served models at a glance')
    .action(async (_options: object, command: Command) => {
      const { session, show } = contextOf(command)
      const { client } = await session()
      const [proposals, datanets, runs, rounds, models] = await Promise.all([
        client.call('listProposals'),
        client.call('listDatanets'),
        client.call('listRuns'),
        client.call('listRounds'),
        client.call('listModels'),
      ])
      show({
        json: {
          proposals: proposals.items,
          datanets: datanets.items,
          runs: runs.items,
          rounds: rounds.items,
          models: models.data,
        },
        lines: [
          ...proposals.items.map(
            ({ id, state, document, tally }) =>
              `proposal  ${id}  ${state.padEnd(9)}  for ${open(tally.forWei)}, against ${open(tally.againstWei)}  ${document.title}`,
          ),
          ...datanets.items.map(
            ({ id, terms, counts }) =>
              `datanet   ${id}  ${counts.acceptedRecords} records of ${counts.submissions} submissions  ${terms.title}`,
          ),
          ...runs.items.map(({ id, kind, state }) => `run       ${id}  ${state.padEnd(9)}  ${kind}`),
          ...rounds.items
            .filter(({ state }) => state === 'open')
            .map(
              ({ id, judged, tasks, closesAt }) =>
                `round     ${id}  open until ${closesAt}  ${judged} of ${tasks} judged`,
            ),
          ...models.data.map(({ id, version }) => `model     ${id}  version ${version}`),
        ],
      })
    })
}
