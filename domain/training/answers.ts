import { OpenLedgerError } from '../errors.ts'

/** One item of an evaluation's `answers.jsonl`: the greedy answer of one system to one sealed item. */
export type GradedAnswer = {
  readonly id: string
  readonly system: string
  readonly answer: string
  readonly correct: boolean
}

/** @throws OpenLedgerError malformed with the line that is wrong */
export function parseGradedAnswers(bytes: Uint8Array | null, where: string): GradedAnswer[] {
  if (bytes === null)
    throw new OpenLedgerError('not-found', 'The evaluation left no answers', { expected: where })
  return new TextDecoder()
    .decode(bytes)
    .split('\n')
    .filter(line => line !== '')
    .map((line, index) => {
      const item = JSON.parse(line) as Partial<GradedAnswer>
      if (
        typeof item.id !== 'string' ||
        typeof item.system !== 'string' ||
        typeof item.correct !== 'boolean'
      ) {
        throw new OpenLedgerError('malformed', 'A line of the answers is not as promised', {
          expected: 'id, system, answer, correct',
          seen: `line ${index + 1} of ${where}`,
        })
      }
      return { id: item.id, system: item.system, answer: String(item.answer ?? ''), correct: item.correct }
    })
}

/** The results of one system by item, for `pairedDifference` and `wilsonInterval`. */
export function resultsOf(answers: readonly GradedAnswer[], system: string): ReadonlyMap<string, boolean> {
  return new Map(
    answers.filter(answer => answer.system === system).map(answer => [answer.id, answer.correct]),
  )
}
