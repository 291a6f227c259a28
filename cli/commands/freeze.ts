import type { Command } from 'commander'
import { id } from '../arguments.ts'
import { contextOf } from '../context.ts'

/** Freezes what a Datanet has accepted into a dataset that a proposal can name. */
export function freeze(program: Command): void {
  program
    .command('freeze')
    .argument('<datanet>', 'its id', id)
    .description(
      'freeze what the Datanet has accepted; anybody may, and the same content is the same dataset',
    )
    .action(async (datanet: string, _options: object, command: Command) => {
      const { session, show } = contextOf(command)
      const { client } = await session()
      const dataset = await client.call('freezeDatanet', { params: { id: datanet } })
      const { trainRecords, devRecords, trainRoot, logSize } = dataset.manifest
      show({
        json: dataset,
        lines: [
          `dataset    ${dataset.id}`,
          `train      ${trainRecords} records, root ${trainRoot}`,
          `dev        ${devRecords} records`,
          `log size   ${logSize}`,
        ],
      })
    })
}
