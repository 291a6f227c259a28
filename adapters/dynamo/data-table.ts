import { type DynamoDBDocumentClient, GetCommand, PutCommand, UpdateCommand } from '@aws-sdk/lib-dynamodb'
import type { Datanet, DatanetBook } from '../../domain/data/ports.ts'
import { isConditionFailure } from './document-client.ts'

/**
 * The data table. Keys and access patterns:
 *
 *   pk                 sk           what
 *   N#<datanet>        datanet      terms and opening of a Datanet; gsi1 `datanet` / openedAt lists them
 */

type Item = Record<string, unknown>

const datanetKey = (id: string) => ({ pk: `N#${id}`, sk: 'datanet' })
const instantText = (instantMs: number) => String(instantMs).padStart(15, '0')

export function datanetBook(client: DynamoDBDocumentClient, table: string): DatanetBook {
  const get: DatanetBook['get'] = async id => {
    const { Item } = await client.send(
      new GetCommand({ TableName: table, Key: datanetKey(id), ConsistentRead: true }),
    )
    return Item === undefined ? null : toDatanet(Item)
  }
  return {
    get,
    async keep(datanet) {
      try {
        await client.send(
          new PutCommand({
            TableName: table,
            Item: {
              ...datanetKey(datanet.id),
              ...datanet,
              gsi1pk: 'datanet',
              gsi1sk: `${instantText(datanet.openedAt)}#${datanet.id}`,
            },
            ConditionExpression: 'attribute_not_exists(pk)',
          }),
        )
        return datanet
      } catch (error) {
        if (!isConditionFailure(error)) throw error
        return (await get(datanet.id)) ?? datanet
      }
    },
    async recordLogIndex(id, logIndex) {
      await client.send(
        new UpdateCommand({
          TableName: table,
          Key: datanetKey(id),
          UpdateExpression: 'SET logIndex = :index',
          ExpressionAttributeValues: { ':index': logIndex },
        }),
      )
    },
  }
}

function toDatanet(item: Item): Datanet {
  const { id, terms, proposalId, openedAt, logIndex } = item as unknown as Datanet
  return { id, terms, proposalId, openedAt, logIndex }
}
