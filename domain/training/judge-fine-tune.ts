import type { GateRule } from '../../api/schemas/governance.ts'
import type { Lineage } from '../../api/schemas/training.ts'
import { OpenLedgerError } from '../errors.ts'
import { type GradedAnswer, resultsOf } from './answers.ts'
import { type ItemResults, pairedDifference, targetGate, wilsonInterval } from './gate.ts'

/** Scores in the report's shape, in ppm. */
export function scoreOf(results: ItemResults): Lineage['scores'][string] {
  const right = [...results.values()].filter(Boolean).length
  const { valuePpm, lowPpm, highPpm, n } = wilsonInterval(right, results.size)
  return { exactMatch: valuePpm, low: lowPpm, high: highPpm, n }
}

/**
 * The gate of a fine-tune: exact match of the tuned model against the base model shown worked examples, paired
 * on the sealed items whose number was fixed by the vote.
 * @throws OpenLedgerError malformed when other than the voted number of items was answered
 */
export function judgeFineTune(
  rule: GateRule,
  tuned: readonly GradedAnswer[],
  baselines: readonly GradedAnswer[],
): { scores: Lineage['scores']; gate: Lineage['gate'] } {
  const results = {
    base: resultsOf(baselines, 'base'),
    fewShot: resultsOf(baselines, 'few-shot'),
    tuned: resultsOf(tuned, 'tuned'),
  }
  if (results.tuned.size !== rule.evaluationItems) {
    throw new OpenLedgerError('malformed', 'The evaluation did not answer the voted number of items', {
      expected: String(rule.evaluationItems),
      seen: String(results.tuned.size),
    })
  }
  const difference = pairedDifference(results.tuned, results.fewShot)
  const decision = targetGate(difference, rule.targetLowerBoundPpm)
  return {
    scores: Object.fromEntries(Object.entries(results).map(([name, items]) => [name, scoreOf(items)])),
    gate: {
      passed: decision.passed,
      differencePpm: difference.valuePpm,
      lowPpm: difference.lowPpm,
      highPpm: difference.highPpm,
      n: difference.n,
    },
  }
}
