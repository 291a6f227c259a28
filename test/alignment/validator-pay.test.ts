import fc from 'fast-check'
import { FULL_SKILL_PPM, scoreValidators } from '../../domain/alignment/score-validators.ts'
import { judgmentWeight, validatorPay, validatorPenalty } from '../../domain/alignment/validator-pay.ts'
import { proveRuns } from '../support/prove-runs.ts'
import { PUBLISHED_MIXES, simulateRound } from '../support/simulated-round.ts'

const standings = fc.constantFrom('kept' as const, 'unproven' as const, 'dropped' as const)
const skill = (highPpm: number) => ({ valuePpm: 0, lowPpm: 0, highPpm, n: 10 })

describe('a validator', () => {
  it('is paid for each task by weight, rounded down once', () => {
    expect(validatorPay({ standing: 'kept', tasks: 7, weightPpm: 1_000_000 }, 10n)).toEqual({
      earned: 70n,
      deferred: 0n,
    })
    expect(validatorPay({ standing: 'kept', tasks: 7, weightPpm: 333_333 }, 10n)).toEqual({
      earned: 23n,
      deferred: 0n,
    })
    expect(validatorPay({ standing: 'dropped', tasks: 7, weightPpm: 0 }, 10n)).toEqual({
      earned: 0n,
      deferred: 0n,
    })
    expect(judgmentWeight({ tasks: 7, weightPpm: 333_333 })).toBe(2_333_331n)
  })

  it('whom the evidence says nothing about waits for the pay, and does not lose it', () => {
    expect(validatorPay({ standing: 'unproven', tasks: 3, weightPpm: 0 }, 10n)).toEqual({
      earned: 0n,
      deferred: 30n,
    })
  })

  it('never earns more than the tasks are worth', () => {
    fc.assert(
      fc.property(
        standings,
        fc.nat(1_000),
        fc.nat(1_000_000),
        fc.bigInt({ min: 0n, max: 10n ** 30n }),
        (standing, tasks, weightPpm, price) => {
          const { earned, deferred } = validatorPay(
            { standing, tasks, weightPpm: standing === 'kept' ? weightPpm : 0 },
            price,
          )
          expect(earned >= 0n && deferred >= 0n && earned + deferred <= BigInt(tasks) * price).toBe(true)
        },
      ),
      proveRuns(),
    )
  })

  it('can lose what is held and no more, and only when dropped', () => {
    fc.assert(
      fc.property(
        standings,
        fc.nat(1_000_000),
        fc.bigInt({ min: 0n, max: 10n ** 30n }),
        (standing, highPpm, held) => {
          const penalty = validatorPenalty({ standing, skill: skill(highPpm) }, held)
          expect(penalty >= 0n && penalty <= held).toBe(true)
          if (standing !== 'dropped' || highPpm >= FULL_SKILL_PPM) expect(penalty).toBe(0n)
        },
      ),
      proveRuns(),
    )
  })

  it('loses more, the surer it is that nothing was known', () => {
    expect(validatorPenalty({ standing: 'dropped', skill: skill(0) }, 1_000n)).toBe(1_000n)
    expect(validatorPenalty({ standing: 'dropped', skill: skill(250_000) }, 1_000n)).toBe(500n)
  })

  it('cannot be made to pay in, nor be paid by a negative price', () => {
    expect(() => validatorPenalty({ standing: 'dropped', skill: skill(0) }, -1n)).toThrow(
      expect.objectContaining({ code: 'malformed' }),
    )
    expect(() => validatorPay({ standing: 'kept', tasks: 1, weightPpm: 1 }, -1n)).toThrow(
      expect.objectContaining({ code: 'malformed' }),
    )
  })

  it('who is honest in a published mix is paid in full and penalized for nothing', () => {
    const mix = PUBLISHED_MIXES['two random, one always first']!
    const { verdicts, gold } = simulateRound(mix, 8)
    for (const score of scoreValidators(verdicts, gold).validators) {
      const isHonest = mix.habits[Number(BigInt(score.validator)) - 1]!.kind === 'honest'
      expect(validatorPay(score, 10n).earned).toBe(isHonest ? BigInt(score.tasks) * 10n : 0n)
      expect(validatorPenalty(score, 1_000n) > 0n).toBe(!isHonest)
    }
  })
})
