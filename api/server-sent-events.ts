/**
 * The data of server-sent events (HTML standard, 9.2.6), from bytes that may be cut anywhere. Fields other than
 * `data` have no use in the interface of models, and an event without data is none.
 */
export type EventReader = {
  /** The events that these bytes complete. */
  push(bytes: Uint8Array): string[]
  /** What was left without a blank line at its end. */
  end(): string[]
}

export function eventReader(): EventReader {
  const decoder = new TextDecoder()
  let rest = ''
  return {
    push(bytes) {
      rest += decoder.decode(bytes, { stream: true })
      const events = rest.split(/\r\n\r\n|\n\n|\r\r/)
      rest = events.pop() ?? ''
      return events.flatMap(dataOf)
    },
    end: () => dataOf(rest + decoder.decode()),
  }
}

function dataOf(event: string): string[] {
  const lines = event.split(/\r\n|\n|\r/).filter(line => line.startsWith('data:'))
  return lines.length === 0
    ? []
    : [lines.map(line => line.slice('data:'.length).replace(/^ /, '')).join('\n')]
}
