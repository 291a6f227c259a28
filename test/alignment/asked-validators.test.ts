import { askedValidators } from '../../domain/alignment/open-round.ts'
import type { Round } from '../../domain/alignment/ports.ts'
import type { Standing } from '../../domain/alignment/score-validators.ts'
import { validatorAt } from '../support/simulated-round.ts'

const vouched = Array.from({ length: 5 }, (_, at) => validatorAt(at))
const earlier = (...standings: Standing[]) =>
  ({
    scores: { validators: standings.map((standing, at) => ({ validator: validatorAt(at), standing })) },
  }) as unknown as Pick<Round, 'scores'>

describe('who is asked to judge', () => {
  it('is everybody whom governors vouched for, in a first round', () => {
    expect(askedValidators(vouched, null, 3)).toEqual(vouched)
    expect(askedValidators(vouched, { scores: null }, 3)).toEqual(vouched)
  })

  it('is not who was dropped before; who is unproven still is', () => {
    const scores = earlier('kept', 'dropped', 'unproven', 'kept', 'dropped')
    expect(askedValidators(vouched, scores, 3)).toEqual([vouched[0], vouched[2], vouched[3]])
  })

  it('is everybody again where too few would be left', () => {
    const scores = earlier('kept', 'dropped', 'dropped', 'dropped', 'kept')
    expect(askedValidators(vouched, scores, 3)).toEqual(vouched)
  })
})
