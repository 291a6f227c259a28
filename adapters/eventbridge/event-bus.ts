import { type EventBridgeClient, PutEventsCommand } from '@aws-sdk/client-eventbridge'

/** Tells the stage's bus that something happened. Who listens runs soon, once or several times. */
export function eventBus(events: EventBridgeClient, busName: string) {
  return {
    async tell(detailType: string, detail: Readonly<Record<string, unknown>>): Promise<void> {
      const entry = {
        EventBusName: busName,
        Source: 'openledger',
        DetailType: detailType,
        Detail: JSON.stringify(detail),
      }
      const { FailedEntryCount, Entries } = await events.send(new PutEventsCommand({ Entries: [entry] }))
      if (FailedEntryCount) throw new Error(`${detailType}: ${Entries?.[0]?.ErrorCode}`)
    },
  }
}
